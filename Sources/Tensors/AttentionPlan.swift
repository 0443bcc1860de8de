import CKernels

/// How an attention operation is cut into units: a few rows and one KV head, or, when a long sequence has few rows,
/// some
/// spans of one row and one KV head. Spans are merged in order either way, so the cut changes no bit.
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
        // How many units there would be without splitting rows decides whether rows are split.
        var wholeUnitCount = 0
        var work = 0
        var capacity = 0
        for sequence in sequences {
            let rows = Self.rowsPerUnit(sequence, workPerPosition, headsPerKVHead)
            wholeUnitCount += (sequence.rowCount + rows - 1) / rows * geometry.kvHeadCount
            let last = sequence.firstPosition + sequence.rowCount
            work += sequence.rowCount * last * workPerPosition * geometry.kvHeadCount
            capacity += max(1, sequence.rowCount) * (last / Self.spanPositions + 1) * geometry.kvHeadCount
        }
        let splits = context.threadCount > 1 && wholeUnitCount < 4 * context.threadCount
        units = context.unitScratch.elements(AttentionUnit.self, count: max(capacity, 1))
        partials = context.scratch.elements(Float.self, count: 1)
        var partialCount = 0
        let spansPerUnit = max(1, Self.multiplyAddsPerUnit / 2 / (workPerPosition * Self.spanPositions))
        for (index, sequence) in sequences.enumerated() {
            let rows = Self.rowsPerUnit(sequence, workPerPosition, headsPerKVHead)
            for rowBegin in stride(from: 0, to: sequence.rowCount, by: rows) {
                let rowEnd = min(rowBegin + rows, sequence.rowCount)
                let spanCount = (sequence.firstPosition + rowBegin) / Self.spanPositions + 1
                let isSplit = splits && rows == 1 && spanCount > spansPerUnit
                for kvHead in 0..<geometry.kvHeadCount {
                    var unit = AttentionUnit(
                        sequence: Int32(index), kvHead: Int32(kvHead), rowBegin: Int32(rowBegin), rowEnd: Int32(rowEnd),
                        spanBegin: -1, spanEnd: -1, partialOffset: partialCount)
                    guard isSplit else {
                        append(unit)
                        continue
                    }
                    splitCount += 1
                    partialCount += spanCount * headsPerKVHead * partialStride
                    for span in stride(from: 0, to: spanCount, by: spansPerUnit) {
                        unit.spanBegin = Int32(span)
                        unit.spanEnd = Int32(min(span + spansPerUnit, spanCount))
                        append(unit)
                    }
                }
            }
        }
        partials = context.scratch.elements(Float.self, count: max(partialCount, 1))
        let nanoseconds = Double(work) / context.instructionSet.floatMultiplyAddsPerNanosecond
        tileCount = context.tileCount(nanoseconds: nanoseconds, unitCount: unitCount)
    }

    private mutating func append(_ unit: AttentionUnit) {
        units[unitCount] = unit
        unitCount += 1
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
