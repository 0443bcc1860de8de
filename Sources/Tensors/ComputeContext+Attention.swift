import CKernels

extension ComputeContext {
    /// Writes rows' keys and values into their blocks as f16.
    ///
    /// - Parameters:
    ///   - keys: [row][KV head][headSize], rows `rowStride` floats apart; `values` likewise.
    public func storeKeysValues(
        keys: UnsafePointer<Float>, values: UnsafePointer<Float>, rowStride: Int,
        sequences: UnsafeBufferPointer<AttentionSpan>, geometry: AttentionGeometry
    ) {
        let rowCount = sequences.reduce(0) { $0 + $1.rowCount }
        let nanoseconds = Double(rowCount * geometry.kvHeadCount * geometry.headSize)
        let tiles = tileCount(nanoseconds: nanoseconds, unitCount: rowCount)
        pool.run(
            StoringJob(
                kernels: kernels, keys: keys, values: values, rowStride: rowStride, sequences: sequences,
                geometry: geometry, rowCount: rowCount, tileCount: tiles), tileCount: tiles)
    }

    /// Causal attention: each row over positions 0 ... its own, all already stored.
    ///
    /// - Parameters:
    ///   - queries: [row][head][headSize], rows `rowStride` floats apart.
    ///   - scale: of the dot products, usually 1 / sqrt(headSize).
    ///   - output: [row][head][headSize], rows `outputStride` floats apart.
    public func attend(
        queries: UnsafePointer<Float>, rowStride: Int, sequences: UnsafeBufferPointer<AttentionSpan>,
        geometry: AttentionGeometry, scale: Float, output: UnsafeMutablePointer<Float>, outputStride: Int
    ) {
        let plan = AttentionPlan(sequences: sequences, geometry: geometry, context: self)
        let job = AttentionJob(
            kernels: kernels, queries: queries, rowStride: rowStride, sequences: sequences, geometry: geometry,
            scale: scale, output: output, outputStride: outputStride, units: UnsafePointer(plan.units),
            unitCount: plan.unitCount, partials: plan.partials, partialStride: plan.partialStride,
            tileCount: plan.tileCount)
        pool.run(job, tileCount: plan.tileCount)
        if plan.splitCount > 0 { job.joinSplitRows() }
    }
}

private struct StoringJob: TileJob {
    let kernels: UnsafePointer<sl_kernels>
    let keys: UnsafePointer<Float>
    let values: UnsafePointer<Float>
    let rowStride: Int
    let sequences: UnsafeBufferPointer<AttentionSpan>
    let geometry: AttentionGeometry
    let rowCount: Int
    let tileCount: Int

    func runTile(_ index: Int) {
        let own = rowCount * index / tileCount..<rowCount * (index + 1) / tileCount
        var firstRow = 0
        for sequence in sequences {
            for row in own.clamped(to: firstRow..<firstRow + sequence.rowCount) {
                let position = sequence.firstPosition + row - firstRow
                let offset = (sequence.rowOffset + row - firstRow) * rowStride
                sl_attention_store(
                    kernels, Int64(geometry.kvHeadCount), Int64(geometry.headSize), keys + offset, values + offset,
                    sequence.blocks[position / AttentionGeometry.blockPositionCount], Int64(position))
            }
            firstRow += sequence.rowCount
        }
    }
}

/// A piece of an attention operation that one thread computes: rows of one KV head, or one row of several KV heads over
/// some or all of its spans.
struct AttentionUnit {
    var sequence: Int32
    var kvHeadBegin: Int32
    var kvHeadEnd: Int32
    var rowBegin: Int32
    var rowEnd: Int32
    /// Spans to compute into partial results; -1: all, straight into the output.
    var spanBegin: Int32
    var spanEnd: Int32
    /// Float offset of the row's partial results.
    var partialOffset: Int
}

private struct AttentionJob: TileJob {
    let kernels: UnsafePointer<sl_kernels>
    let queries: UnsafePointer<Float>
    let rowStride: Int
    let sequences: UnsafeBufferPointer<AttentionSpan>
    let geometry: AttentionGeometry
    let scale: Float
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
    let units: UnsafePointer<AttentionUnit>
    let unitCount: Int
    let partials: UnsafeMutablePointer<Float>
    let partialStride: Int
    let tileCount: Int

    func runTile(_ index: Int) {
        for number in unitCount * index / tileCount..<unitCount * (index + 1) / tileCount { run(units[number]) }
    }

    private func run(_ unit: AttentionUnit) {
        var attention = kernelAttention(Int(unit.sequence))
        if unit.rowEnd - unit.rowBegin > 1 {
            sl_attention_rows(&attention, Int64(unit.kvHeadBegin), Int64(unit.rowBegin), Int64(unit.rowEnd))
            return
        }
        let isSplit = unit.spanBegin >= 0
        sl_attention_row(
            &attention, Int64(unit.kvHeadBegin), Int64(unit.kvHeadEnd), Int64(unit.rowBegin),
            isSplit ? Int64(unit.spanBegin) : 0, Int64(isSplit ? unit.spanEnd : spanCount(unit)),
            isSplit ? partials + unit.partialOffset : nil, Int64(partialStride))
    }

    /// Merges the partial results of rows whose spans were shared out.
    func joinSplitRows() {
        for number in 0..<unitCount where units[number].spanBegin == 0 {
            let unit = units[number]
            var attention = kernelAttention(Int(unit.sequence))
            let headsPerKVHead = Int32(geometry.headCount / geometry.kvHeadCount)
            for head in unit.kvHeadBegin * headsPerKVHead..<unit.kvHeadEnd * headsPerKVHead {
                sl_attention_join(
                    &attention, Int64(head), Int64(unit.rowBegin),
                    partials + unit.partialOffset + Int(head) * partialStride,
                    Int64(geometry.headCount * partialStride), Int64(spanCount(unit)))
            }
        }
    }

    /// Spans of the unit's row.
    private func spanCount(_ unit: AttentionUnit) -> Int32 {
        Int32((sequences[Int(unit.sequence)].firstPosition + Int(unit.rowBegin)) / Int(SL_SPAN_POSITIONS) + 1)
    }

    private func kernelAttention(_ index: Int) -> sl_attention {
        let sequence = sequences[index]
        return sl_attention(
            kernels: kernels, head_count: Int64(geometry.headCount), kv_head_count: Int64(geometry.kvHeadCount),
            head_size: Int64(geometry.headSize), scale: scale, queries: queries + sequence.rowOffset * rowStride,
            query_stride: Int64(rowStride),
            blocks: UnsafeRawPointer(sequence.blocks).assumingMemoryBound(to: UnsafeMutableRawPointer?.self),
            first_position: Int64(sequence.firstPosition), output: output + sequence.rowOffset * outputStride,
            output_stride: Int64(outputStride))
    }
}
