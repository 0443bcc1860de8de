import CKernels

extension ComputeContext {
    /// Room for activations of up to `rowCountMax` rows.
    ///
    /// - Parameter formats: of the weights they will be multiplied with: they decide which forms are kept. The form for
    ///   quantised weights exists only when `columns` is a multiple of 32.
    public func makeActivations(
        rowCountMax: Int, columns: Int, formats: [TensorFormat] = TensorFormat.allCases
    ) throws(TensorError) -> Activations {
        try Activations(rowCountMax: rowCountMax, columns: columns, formats: formats)
    }

    /// RMS norm: x / sqrt(mean(x²) + epsilon) · weight, for each row.
    ///
    /// - Parameter rowStride: floats between rows of `x`; nil: `into.columns`.
    public func normalize(
        _ x: UnsafePointer<Float>, rows: Int, rowStride: Int? = nil, weight: UnsafePointer<Float>, epsilon: Float,
        into activations: Activations
    ) {
        fill(activations, rows: rows, SL_FILLING_NORM, x, rowStride: rowStride, weight: weight, epsilon: epsilon)
    }

    /// Rows as they are.
    public func load(
        _ x: UnsafePointer<Float>, rows: Int, rowStride: Int? = nil, into activations: Activations
    ) {
        fill(activations, rows: rows, SL_FILLING_COPY, x, rowStride: rowStride)
    }

    private func fill(
        _ activations: Activations, rows: Int, _ source: sl_filling_source, _ x: UnsafePointer<Float>,
        rowStride: Int?, weight: UnsafePointer<Float>? = nil, epsilon: Float = 0
    ) {
        precondition(rows >= 0 && rows <= activations.rowCountMax, "\(rows) rows of \(activations.rowCountMax)")
        activations.rows = rows
        guard rows > 0 else { return }
        let columns = activations.columns
        // A norm needs its whole row; the others go in pieces of whole blocks, so that one long row is shared too.
        let pieces = source == SL_FILLING_NORM ? 1 : max(1, columns / 512)
        let pieceColumns = ((columns + pieces - 1) / pieces + 31) / 32 * 32
        let piecesPerRow = (columns + pieceColumns - 1) / pieceColumns
        let nanosecondsPerValue = instructionSet == .scalar ? 10.0 : 0.5
        let tiles = tileCount(
            nanoseconds: Double(rows * columns) * nanosecondsPerValue, unitCount: rows * piecesPerRow)
        withUnsafePointer(to: activations.kernelRows) { kernelRows in
            let filling = sl_filling(
                kernels: kernels, rows: kernelRows, source: source, x: x, y: nil, stride: Int64(rowStride ?? columns),
                weight: weight, epsilon: epsilon)
            let job = FillingJob(
                filling: filling, rowCount: rows, columns: columns, pieceColumns: pieceColumns,
                piecesPerRow: piecesPerRow, tileCount: tiles)
            pool.run(job, tileCount: tiles)
        }
    }
}

private struct FillingJob: TileJob {
    let filling: sl_filling
    let rowCount: Int
    let columns: Int
    let pieceColumns: Int
    let piecesPerRow: Int
    let tileCount: Int

    func runTile(_ index: Int) {
        let unitCount = rowCount * piecesPerRow
        withUnsafePointer(to: filling) { filling in
            for unit in unitCount * index / tileCount..<unitCount * (index + 1) / tileCount {
                let first = unit % piecesPerRow * pieceColumns
                sl_filling_run(
                    filling, Int64(unit / piecesPerRow), Int64(first), Int64(min(first + pieceColumns, columns)))
            }
        }
    }
}
