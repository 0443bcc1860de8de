import CKernels

/// How an attention operation is cut into units: a few rows and one KV head, or one row and all KV heads or, for
/// several threads, some of them and some spans. Spans are merged in order either way, so the cut changes no bit.
struct AttentionPlan {
    private(set) var units: UnsafeMutablePointer<AttentionUnit>
    private(set) var unitCount = 0
    private(set) var splitCount = 0
    private(set) var tileCount = 1
    private(set) var partials: UnsafeMutablePointer<Float>
    let partialStride: Int

    private static let spanPositions = Int(SL_SPAN_POSITIONS)
    /// Work of a unit, in multiply-adds: some 10 µs.
    private static let multiplyAddsPerUnit = 400_000

    init(sequences: UnsafeBufferPointer<AttentionSpan>, geometry: AttentionGeometry, context: ComputeContext) {
        let headsPerKVHead = geometry.headCount / geometry.kvHeadCount
        partialStride = (Int(sl_attention_partial_floats(Int64(geometry.headSize))) + 15) / 16 * 16
        let workPerPosition = 2 * headsPerKVHead * geometry.headSize
        var work = 0
        var capacity = 0
        for sequence in sequences {
            let last = sequence.firstPosition + sequence.rowCount
            work += sequence.rowCount * last * workPerPosition * geometry.kvHeadCount
            capacity += max(1, sequence.rowCount) * (last / Self.spanPositions + 1) * geometry.kvHeadCount
        }
        units = context.unitScratch.elements(AttentionUnit.self, count: max(capacity, 1))
        partials = context.scratch.elements(Float.self, count: 1)
        var partialCount = 0
        for (index, sequence) in sequences.enumerated() {
            let rows = Self.rowsPerUnit(sequence, workPerPosition, headsPerKVHead)
            for rowBegin in stride(from: 0, to: sequence.rowCount, by: rows) {
                let rowEnd = min(rowBegin + rows, sequence.rowCount)
                var unit = AttentionUnit(
                    sequence: Int32(index), kvHeadBegin: 0, kvHeadEnd: Int32(geometry.kvHeadCount),
                    rowBegin: Int32(rowBegin), rowEnd: Int32(rowEnd), spanBegin: -1, spanEnd: -1,
                    partialOffset: partialCount)
                guard rowEnd - rowBegin == 1 else {
                    appendHeads(unit, atOnce: 1)
                    continue
                }
                let cut = RowCut(
                    positionCount: sequence.firstPosition + rowEnd, workPerPosition: workPerPosition,
                    kvHeadCount: geometry.kvHeadCount, rowCount: sequences.count, threadCount: context.threadCount)
                guard cut.spansAtOnce < cut.spanCount else {
                    appendHeads(unit, atOnce: cut.kvHeadsAtOnce)
                    continue
                }
                splitCount += 1
                partialCount += cut.spanCount * geometry.headCount * partialStride
                for span in stride(from: 0, to: cut.spanCount, by: cut.spansAtOnce) {
                    unit.spanBegin = Int32(span)
                    unit.spanEnd = Int32(min(span + cut.spansAtOnce, cut.spanCount))
                    appendHeads(unit, atOnce: cut.kvHeadsAtOnce)
                }
            }
        }
        partials = context.scratch.elements(Float.self, count: max(partialCount, 1))
        let nanoseconds = Double(work) / context.instructionSet.floatMultiplyAddsPerNanosecond
        tileCount = context.tileCount(nanoseconds: nanoseconds, unitCount: unitCount)
    }

    /// How one row's work is cut: not at all for one thread or when there are rows enough; else into spans first,
    /// because memory is read fastest when all KV heads of a block are read in turn.
    private struct RowCut {
        let spanCount: Int
        let spansAtOnce: Int
        let kvHeadsAtOnce: Int

        init(positionCount: Int, workPerPosition: Int, kvHeadCount: Int, rowCount: Int, threadCount: Int) {
            spanCount = (positionCount - 1) / AttentionPlan.spanPositions + 1
            let work = positionCount * workPerPosition * kvHeadCount
            let wanted = threadCount == 1 ? 1 : (8 * threadCount + rowCount - 1) / rowCount
            let pieces = max(1, min(wanted, work / (AttentionPlan.multiplyAddsPerUnit / 4)))
            spansAtOnce = max(1, spanCount / pieces)
            let parts = max(1, pieces / ((spanCount + spansAtOnce - 1) / spansAtOnce))
            kvHeadsAtOnce = max(1, kvHeadCount / parts)
        }
    }

    private mutating func appendHeads(_ unit: AttentionUnit, atOnce: Int) {
        for head in stride(from: unit.kvHeadBegin, to: unit.kvHeadEnd, by: atOnce) {
            units[unitCount] = unit
            units[unitCount].kvHeadBegin = head
            units[unitCount].kvHeadEnd = min(head + Int32(atOnce), unit.kvHeadEnd)
            unitCount += 1
        }
    }

    /// Whole groups of query vectors, about `multiplyAddsPerUnit` of work.
    private static func rowsPerUnit(_ sequence: AttentionSpan, _ workPerPosition: Int, _ headsPerKVHead: Int) -> Int {
        guard sequence.rowCount > 1 else { return 1 }
        let rowsPerGroup = max(1, Int(SL_QUERY_GROUP) / headsPerKVHead)
        let workPerRow = (sequence.firstPosition + sequence.rowCount) * workPerPosition
        let groups = max(1, multiplyAddsPerUnit / (workPerRow * rowsPerGroup))
        return rowsPerGroup * groups
    }
}
