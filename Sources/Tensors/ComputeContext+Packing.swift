import CKernels
public import Memory
import Synchronization

extension ComputeContext {
    /// Packs a row-major matrix as it stands in a model file, over all threads. `source` may be unmapped afterwards.
    ///
    /// - Throws: when `source` is not exactly the matrix's bytes, when a quantised row is not a whole number of blocks,
    ///   when a scale or a weight is not finite, or when there is no memory.
    public func pack(
        _ source: UnsafeRawBufferPointer, format: TensorFormat, rows: Int, columns: Int,
        placement: Placement = .anywhere
    ) throws(TensorError) -> PackedMatrix {
        let panelByteCount = try Self.checkedPanelByteCount(
            sourceByteCount: source.count, format: format, rows: rows, columns: columns)
        let panelRows = Int(SL_PANEL_ROWS)
        let panelCount = (rows + panelRows - 1) / panelRows
        let (byteCount, overflow) = panelByteCount.multipliedReportingOverflow(by: panelCount)
        guard !overflow, let sourceBase = source.baseAddress else {
            throw TensorError(.invalidSize, "a \(format.name) matrix of \(rows) x \(columns) is too large")
        }
        let slice: BufferSlice
        do {
            slice = try arena.take(byteCount: byteCount, placement: placement)
        } catch {
            throw TensorError(.outOfMemory, "no memory for a packed matrix: \(error.message)")
        }
        let job = PackingJob(
            source: sourceBase.assumingMemoryBound(to: UInt8.self),
            target: slice.base.assumingMemoryBound(to: UInt8.self),
            format: format.kernelFormat, rows: rows, columns: columns,
            rowByteCount: source.count / rows, panelCount: panelCount,
            panelByteCount: panelByteCount, panelsPerTile: max(1, (256 << 10) / panelByteCount))
        let badRow = Atomic<Int>(Int.max)
        withUnsafePointer(to: job) { job in
            parallel(tileCount: (panelCount + job.pointee.panelsPerTile - 1) / job.pointee.panelsPerTile) { tile in
                if let row = job.pointee.firstBadRow(packingTile: tile) { badRow.min(row, ordering: .relaxed) }
            }
        }
        let firstBadRow = badRow.load(ordering: .relaxed)
        guard firstBadRow == Int.max else {
            let what = format.isQuantised ? "scale" : "weight"
            throw TensorError(
                .nonFinite,
                "row \(firstBadRow) has a \(what) that is infinite or not a number; the file is damaged, get it again")
        }
        return PackedMatrix(
            format: format, rows: rows, columns: columns, panelByteCount: panelByteCount, bytes: slice)
    }

    /// Ends a run of packing, a model's or a stage's: what is packed later shares no memory with it, so that either can
    /// be freed without the other.
    public func finishPacking() { arena.close() }

    private static func checkedPanelByteCount(
        sourceByteCount: Int, format: TensorFormat, rows: Int, columns: Int
    ) throws(TensorError) -> Int {
        guard rows > 0, columns > 0, rows <= Int32.max, columns <= Int32.max else {
            throw TensorError(.invalidSize, "a matrix of \(rows) x \(columns) cannot be packed; both must be 1 or more")
        }
        guard let expected = format.byteCount(rows: rows, columns: columns) else {
            throw TensorError(
                .invalidSize,
                "\(columns) columns are not a multiple of \(format.blockElementCount), as \(format.name) needs")
        }
        guard expected == sourceByteCount else {
            throw TensorError(
                .invalidSize,
                "a \(format.name) matrix of \(rows) x \(columns)"
                    + " has \(expected) bytes, but \(sourceByteCount) were given"
            )
        }
        return Int(sl_pack_panel_bytes(format.kernelFormat, Int64(columns)))
    }
}

private struct PackingJob {
    let source: UnsafePointer<UInt8>
    let target: UnsafeMutablePointer<UInt8>
    let format: sl_format
    let rows: Int
    let columns: Int
    let rowByteCount: Int
    let panelCount: Int
    let panelByteCount: Int
    let panelsPerTile: Int

    /// Packs a run of panels; the first row with a value that is not finite.
    func firstBadRow(packingTile tile: Int) -> Int? {
        let panelRows = Int(SL_PANEL_ROWS)
        var bad: Int?
        for panel in tile * panelsPerTile..<min((tile + 1) * panelsPerTile, panelCount) {
            let row = panel * panelRows
            let found = sl_pack_panel(
                format, source + row * rowByteCount, Int64(min(panelRows, rows - row)), Int64(columns),
                target + panel * panelByteCount)
            if found >= 0, bad == nil { bad = row + Int(found) }
        }
        return bad
    }
}
