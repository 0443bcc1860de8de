import CKernels

extension ComputeContext {
    /// The two products of a gated feed-forward and what is done with them, in one operation: silu(gate x) * (up x)
    /// goes into `target`, in the forms that its weights are multiplied with. The products themselves pass through
    /// `gate.output` and `up.output` while they are in the cache.
    ///
    /// - Precondition: both matrices have `target.columns` rows, and the outputs one stride.
    public func multiplyGated(
        _ activations: Activations, gate: Product, up: Product, into target: Activations
    ) {
        let columns = target.columns
        precondition(
            gate.matrix.rows == columns && up.matrix.rows == columns && gate.outputStride == up.outputStride,
            "a gate of \(gate.matrix.rows) and an up of \(up.matrix.rows) rows for activations of \(columns) columns")
        precondition(activations.rows <= target.rowCountMax, "\(activations.rows) rows of \(target.rowCountMax)")
        target.rows = activations.rows
        guard activations.rows > 0 else { return }
        withUnsafePointer(to: activations.kernelRows) { rows in
            withUnsafePointer(to: target.kernelRows) { targetRows in
                let filling = sl_filling(
                    kernels: kernels, rows: targetRows, source: SL_FILLING_SILU_PRODUCT, x: gate.output,
                    y: up.output, stride: Int64(gate.outputStride), weight: nil, epsilon: 0)
                var job = GatedJob(rows: rows, rowCount: activations.rows, columns: columns, filling: filling)
                var nanoseconds = part(gate, activations, .store, &job.gate)
                nanoseconds += part(up, activations, .store, &job.up)
                job.tileCount = tileCount(nanoseconds: nanoseconds, unitCount: job.unitCount)
                pool.run(job, tileCount: job.tileCount)
            }
        }
    }
}

/// Units are some blocks of 32 columns of the result, each two panels of each matrix.
private struct GatedJob: TileJob {
    let rows: UnsafePointer<sl_rows>
    let rowCount: Int
    let columns: Int
    let filling: sl_filling
    var gate = MultiplicationPart()
    var up = MultiplicationPart()
    var tileCount = 1

    private static let panelsPerUnit = Int(SL_PANELS_TOGETHER)

    var unitCount: Int { (gate.panelCount + Self.panelsPerUnit - 1) / Self.panelsPerUnit }

    init(rows: UnsafePointer<sl_rows>, rowCount: Int, columns: Int, filling: sl_filling) {
        self.rows = rows
        self.rowCount = rowCount
        self.columns = columns
        self.filling = filling
    }

    func runTile(_ index: Int) {
        let units = unitCount * index / tileCount..<unitCount * (index + 1) / tileCount
        let panels =
            units.lowerBound * Self.panelsPerUnit..<min(units.upperBound * Self.panelsPerUnit, gate.panelCount)
        gate.run(rows, rowCount: rowCount, panels: panels)
        up.run(rows, rowCount: rowCount, panels: panels)
        let width = Self.panelsPerUnit * Int(SL_PANEL_ROWS)
        withUnsafePointer(to: filling) { filling in
            for row in 0..<rowCount {
                sl_filling_run(
                    filling, Int64(row), Int64(units.lowerBound * width),
                    Int64(min(units.upperBound * width, columns)))
            }
        }
    }
}
