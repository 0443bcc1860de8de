import CKernels
public import Memory
import Synchronization

extension ComputeContext {
    /// Copies a part of a matrix's bytes, as they stand row by row in a model file, to where it is told. Called by
    /// several threads at once.
    public typealias SourceReader = (_ range: Range<Int>, _ target: UnsafeMutableRawPointer) throws -> Void

    /// Bytes of a file that a thread reads at a time, about: much less than its second-level cache.
    private static let pieceByteCount = 256 << 10
    /// Bytes of a file between two calls of `progress`.
    static let sectionByteCount = 64 << 20

    /// Memory for a packed matrix, zero-filled. Until `finishPacking`, small ones lie one behind the other. When the
    /// context's threads are on several NUMA nodes and `placement` is `.anywhere`, each node gets its threads' share of
    /// the panels.
    public func reserve(_ shape: PackedShape, placement: Placement = .anywhere) throws(TensorError) -> PackingPlace {
        let bytes: BufferSlice
        do {
            bytes = try arena.take(byteCount: shape.byteCount, placement: placement)
        } catch {
            throw TensorError(.outOfMemory, "no memory for a packed matrix: \(error.message)")
        }
        if placement == .anywhere { placeShares(of: shape, in: bytes) }
        return PackingPlace(shape: shape, bytes: bytes)
    }

    private func placeShares(of shape: PackedShape, in bytes: BufferSlice) {
        for (index, group) in layout.groups.enumerated() {
            guard let node = group.node else { continue }
            let panels = pool.shares.range(ofGroup: index, of: shape.panelCount)
            let first = bytes.offset + panels.lowerBound * shape.panelByteCount
            bytes.buffer.prefer(node: node, for: first..<first + panels.count * shape.panelByteCount)
        }
    }

    /// Ends a run of packing, a model's or a stage's: what is packed later shares no memory with it, so that either can
    /// be freed without the other.
    public func finishPacking() {
        arena.close()
        pieces = nil
    }

    /// Packs a row-major matrix as it stands in a model file, over all threads.
    ///
    /// - Throws: when `source` is not exactly the matrix's bytes, when a quantised row is not a whole number of blocks,
    ///   when a scale or a weight is not finite, or when there is no memory.
    public func pack(
        _ source: UnsafeRawBufferPointer, format: TensorFormat, rows: Int, columns: Int,
        placement: Placement = .anywhere
    ) throws(TensorError) -> PackedMatrix {
        let shape = try PackedShape(format: format, rows: rows, columns: columns)
        guard shape.sourceByteCount == source.count, let base = source.baseAddress else {
            throw TensorError(
                .invalidSize,
                "a \(format.name) matrix of \(rows) x \(columns)"
                    + " has \(shape.sourceByteCount) bytes, but \(source.count) were given")
        }
        return try pack(into: try reserve(shape, placement: placement)) { range, target in
            target.copyMemory(from: base + range.lowerBound, byteCount: range.count)
        }
    }

    /// Packs a matrix that is read piece by piece, over all threads: never is more of its source in memory than a piece
    /// a thread.
    ///
    /// - Parameter progress: called on the calling thread now and then and at the end, with the source's bytes that are
    ///   done.
    /// - Throws: when a scale or a weight is not finite, when there is no memory, and, with its message, what `read`
    ///   throws.
    public func pack(
        into place: PackingPlace, progress: (_ doneByteCount: Int) -> Void = { _ in }, read: SourceReader
    ) throws(TensorError) -> PackedMatrix {
        let shape = place.shape
        let panelsPerPiece = max(1, Self.pieceByteCount / (Int(SL_PANEL_ROWS) * shape.sourceRowByteCount))
        let pieces = try pieces(byteCount: panelsPerPiece * Int(SL_PANEL_ROWS) * shape.sourceRowByteCount)
        let packing = Packing(place: place, panelsPerPiece: panelsPerPiece)
        let piecesPerSection = max(1, Self.sectionByteCount / pieces.byteCount)
        var first = 0
        while first < packing.pieceCount {
            let count = min(piecesPerSection, packing.pieceCount - first)
            parallel(tileCount: count) { tile in
                pieces.withPiece { packing.pack(piece: first + tile, through: $0, read: read) }
            }
            if let failure = packing.failure { throw failure }
            first += count
            progress(packing.sourceRange(ofPiece: first - 1).upperBound)
        }
        return place.matrix()
    }

    /// Pieces of at least this size, kept from matrix to matrix.
    private func pieces(byteCount: Int) throws(TensorError) -> PackingPieces {
        if let pieces, pieces.byteCount >= byteCount { return pieces }
        do {
            let made = try PackingPieces(threadCount: threadCount, byteCount: max(byteCount, Self.pieceByteCount))
            pieces = made
            return made
        } catch {
            throw TensorError(.outOfMemory, "no memory to read weights into: \(error.message)")
        }
    }
}

/// One matrix on its way from a file to panels.
private final class Packing {
    private let place: PackingPlace
    private let panelsPerPiece: Int
    /// The first row, of those that were looked at, with a value that is not finite.
    private let badRow = Atomic<Int>(Int.max)
    private let readFailure = Mutex<String?>(nil)

    init(place: PackingPlace, panelsPerPiece: Int) {
        self.place = place
        self.panelsPerPiece = panelsPerPiece
    }

    private var shape: PackedShape { place.shape }
    var pieceCount: Int { (shape.panelCount + panelsPerPiece - 1) / panelsPerPiece }

    func sourceRange(ofPiece piece: Int) -> Range<Int> {
        let rowsPerPiece = panelsPerPiece * Int(SL_PANEL_ROWS)
        let end = min((piece + 1) * rowsPerPiece, shape.rows)
        return piece * rowsPerPiece * shape.sourceRowByteCount..<end * shape.sourceRowByteCount
    }

    /// What was wrong with the pieces so far.
    var failure: TensorError? {
        if let message = readFailure.withLock({ $0 }) { return TensorError(.unreadable, message) }
        let row = badRow.load(ordering: .relaxed)
        return row < Int.max ? TensorError.nonFinite(row: row, shape.format) : nil
    }

    func pack(piece: Int, through buffer: UnsafeMutableRawPointer, read: ComputeContext.SourceReader) {
        do {
            try read(sourceRange(ofPiece: piece), buffer)
        } catch {
            readFailure.withLock { $0 = $0 ?? "\(error)" }
            return
        }
        let panelRows = Int(SL_PANEL_ROWS)
        let first = piece * panelsPerPiece
        for panel in first..<min(first + panelsPerPiece, shape.panelCount) {
            let row = panel * panelRows
            let source = buffer + (panel - first) * panelRows * shape.sourceRowByteCount
            let found = sl_pack_panel(
                shape.format.kernelFormat, source.assumingMemoryBound(to: UInt8.self),
                Int64(min(panelRows, shape.rows - row)), Int64(shape.columns),
                (place.bytes.base + panel * shape.panelByteCount).assumingMemoryBound(to: UInt8.self))
            if found >= 0 { badRow.min(row + Int(found), ordering: .relaxed) }
        }
    }
}
