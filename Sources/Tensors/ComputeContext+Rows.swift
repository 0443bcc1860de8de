import CKernels

extension ComputeContext {
    /// x[r] += bias, for each row.
    public func addBias(
        _ x: UnsafeMutablePointer<Float>, rows: Int, rowStride: Int, bias: UnsafePointer<Float>, columns: Int
    ) {
        let tiles = tileCount(nanoseconds: Double(rows * columns) * 0.3, unitCount: rows)
        pool.run(
            BiasJob(
                kernels: kernels, x: x, rows: rows, rowStride: rowStride, bias: bias, columns: columns, tileCount: tiles
            ),
            tileCount: tiles)
    }

    /// Turns each row's heads in place.
    ///
    /// - Parameters:
    ///   - x: [row][head][headSize], rows `rowStride` floats apart.
    ///   - positions: of each row, below the table's `positionCount`.
    public func rotate(
        _ x: UnsafeMutablePointer<Float>, rows: Int, rowStride: Int, headCount: Int, headSize: Int,
        positions: UnsafePointer<Int32>, table: RotaryTable
    ) {
        precondition(table.rotaryDimension <= headSize, "a rotary table for larger heads")
        let tiles = tileCount(nanoseconds: Double(rows * headCount * headSize) * 0.4, unitCount: rows)
        withExtendedLifetime(table) {
            pool.run(
                RotationJob(
                    kernels: kernels, x: x, rows: rows, rowStride: rowStride, headCount: headCount, headSize: headSize,
                    positions: positions, table: .passUnretained(table), tileCount: tiles),
                tileCount: tiles)
        }
    }

    /// The largest logit and log(sum of exp(logit)), natural, with our exp and log in a fixed order. Both are NaN
    /// when a
    /// logit is not a number or +infinity, or when all are -infinity. May be called from a tile.
    public func logSumExp(_ logits: UnsafePointer<Float>, count: Int) -> (max: Float, logSumExp: Float) {
        var largest: Float = 0
        var sum: Float = 0
        kernels.pointee.max_exp_sum(logits, Int64(count), &largest, &sum)
        return (largest, largest + Numerics.log(sum))
    }
}

private struct BiasJob: TileJob {
    let kernels: UnsafePointer<sl_kernels>
    let x: UnsafeMutablePointer<Float>
    let rows: Int
    let rowStride: Int
    let bias: UnsafePointer<Float>
    let columns: Int
    let tileCount: Int

    func runTile(_ index: Int) {
        for row in rows * index / tileCount..<rows * (index + 1) / tileCount {
            kernels.pointee.add(x + row * rowStride, bias, Int64(columns))
        }
    }
}

private struct RotationJob: TileJob {
    let kernels: UnsafePointer<sl_kernels>
    let x: UnsafeMutablePointer<Float>
    let rows: Int
    let rowStride: Int
    let headCount: Int
    let headSize: Int
    let positions: UnsafePointer<Int32>
    let table: Unmanaged<RotaryTable>
    let tileCount: Int

    func runTile(_ index: Int) {
        table._withUnsafeGuaranteedRef { table in
            let halves: Int32 = table.pairing == .halves ? 1 : 0
            for row in rows * index / tileCount..<rows * (index + 1) / tileCount {
                let position = Int(positions[row])
                precondition(position >= 0 && position < table.positionCount, "position \(position) has no angles")
                for head in 0..<headCount {
                    kernels.pointee.rotate(
                        x + row * rowStride + head * headSize, table.cosines(position), table.sines(position),
                        Int64(table.pairCount), halves)
                }
            }
        }
    }
}
