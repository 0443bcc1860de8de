import CKernels
import Tensors
import Testing

@Suite struct AttentionTests {
    struct Case: Sendable, CustomStringConvertible {
        var heads: Int, kvHeads: Int, headSize: Int, positions: Int
        var description: String { "\(heads)/\(kvHeads) heads of \(headSize), \(positions) positions" }
    }

    static let cases = [
        Case(heads: 9, kvHeads: 3, headSize: 64, positions: 75),
        Case(heads: 4, kvHeads: 4, headSize: 16, positions: 300),
        Case(heads: 6, kvHeads: 1, headSize: 80, positions: 40),
        Case(heads: 2, kvHeads: 2, headSize: 7, positions: 37),
        Case(heads: 13, kvHeads: 1, headSize: 32, positions: 20),
        Case(heads: 3, kvHeads: 1, headSize: 40, positions: 530),
    ]

    /// A sequence's queries, keys and values, and its blocks.
    final class Sequence {
        let geometry: AttentionGeometry
        let positions: Int
        let queries: [Float], keys: [Float], values: [Float]
        private var blocks: [UnsafeMutableRawPointer] = []
        let scale: Float

        init(_ shape: Case, seed: UInt64) throws {
            var random = RandomSource(seed: seed)
            geometry = try AttentionGeometry(headCount: shape.heads, kvHeadCount: shape.kvHeads, headSize: shape.headSize)
            positions = shape.positions
            queries = random.values(positions * shape.heads * shape.headSize, -2...2)
            keys = random.values(positions * shape.kvHeads * shape.headSize, -2...2)
            values = random.values(positions * shape.kvHeads * shape.headSize)
            scale = 1 / Float(shape.headSize).squareRoot()
            for _ in 0..<(positions + 31) / 32 {
                let block = UnsafeMutableRawPointer.allocate(byteCount: geometry.blockByteCount, alignment: 64)
                blocks.append(block)
            }
            clearBlocks()
        }

        deinit { for block in blocks { block.deallocate() } }

        /// What was never stored is not a number: it must not reach a result.
        func clearBlocks() {
            for block in blocks { block.initializeMemory(as: UInt8.self, repeating: 0xff, count: geometry.blockByteCount) }
        }

        func withSpan<R>(_ rows: Range<Int>, _ body: (UnsafeBufferPointer<AttentionSpan>) -> R) -> R {
            blocks.withUnsafeBufferPointer { blocks in
                let span = AttentionSpan(
                    rowOffset: 0, rowCount: rows.count, firstPosition: rows.lowerBound, blocks: blocks.baseAddress!)
                return withUnsafePointer(to: span) { body(UnsafeBufferPointer(start: $0, count: 1)) }
            }
        }

        /// Stores and attends the rows in chunks; all outputs, [position][head][d].
        func run(_ context: ComputeContext, chunk: Int) -> [Float] {
            clearBlocks()
            let width = geometry.headCount * geometry.headSize
            let kvWidth = geometry.kvHeadCount * geometry.headSize
            var output = [Float](repeating: .nan, count: positions * width)
            for first in stride(from: 0, to: positions, by: chunk) {
                let rows = first..<min(first + chunk, positions)
                withSpan(rows) { span in
                    keys.withUnsafeBufferPointer { keys in
                        values.withUnsafeBufferPointer { values in
                            context.storeKeysValues(
                                keys: keys.baseAddress! + first * kvWidth, values: values.baseAddress! + first * kvWidth,
                                rowStride: kvWidth, sequences: span, geometry: geometry)
                        }
                    }
                    queries.withUnsafeBufferPointer { queries in
                        output.withUnsafeMutableBufferPointer { output in
                            context.attend(
                                queries: queries.baseAddress! + first * width, rowStride: width, sequences: span,
                                geometry: geometry, scale: scale, output: output.baseAddress! + first * width,
                                outputStride: width)
                        }
                    }
                }
            }
            return output
        }

        /// One head of one row in float64, over keys and values as stored.
        func reference(position: Int, head: Int) -> [Double] {
            let size = geometry.headSize
            let kvHead = head / (geometry.headCount / geometry.kvHeadCount)
            let kvWidth = geometry.kvHeadCount * size
            func half(_ x: Float) -> Double { Double(Float16(x)) }
            let scores = (0...position).map { t in
                (0..<size).reduce(0.0) { sum, d in
                    sum + Double(queries[(position * geometry.headCount + head) * size + d])
                        * half(keys[t * kvWidth + kvHead * size + d])
                } * Double(scale)
            }
            let top = scores.max() ?? 0
            let weights = scores.map { Numerics.exp($0 - top) }
            let total = weights.reduce(0, +)
            return (0..<size).map { d in
                (0...position).reduce(0.0) { $0 + weights[$1] * half(values[$1 * kvWidth + kvHead * size + d]) } / total
            }
        }
    }

    @Test(arguments: cases) func scalarIsNearFloat64(_ shape: Case) throws {
        let sequence = try Sequence(shape, seed: 40)
        let found = sequence.run(try ComputeContext(threadCount: 1, instructionSet: .scalar), chunk: 64)
        for position in stride(from: 0, to: shape.positions, by: 17) {
            for head in 0..<shape.heads {
                let exact = sequence.reference(position: position, head: head)
                for d in 0..<shape.headSize {
                    let value = found[(position * shape.heads + head) * shape.headSize + d]
                    #expect(abs(Double(value) - exact[d]) < 2e-6)
                }
            }
        }
    }

    @Test(arguments: cases) func everyPathChunkAndThreadCountGivesTheSameBits(_ shape: Case) throws {
        let sequence = try Sequence(shape, seed: 41)
        let expected = bits(sequence.run(try ComputeContext(threadCount: 1, instructionSet: .scalar), chunk: 1))
        for set in InstructionSet.available {
            for threadCount in [1, 3] {
                let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
                for chunk in [1, 5, 64, shape.positions] {
                    #expect(
                        bits(sequence.run(context, chunk: chunk)) == expected,
                        "\(set), \(threadCount) threads, chunks of \(chunk)")
                }
            }
        }
    }

    @Test func oneLongSequenceSharesItsSpansBetweenThreads() throws {
        let shape = Case(heads: 9, kvHeads: 3, headSize: 64, positions: 1900)
        let sequence = try Sequence(shape, seed: 42)
        let width = 9 * 64
        let whole = sequence.run(try ComputeContext(threadCount: 1), chunk: 256)
        for threadCount in [1, 2, 4] {
            let context = try ComputeContext(threadCount: threadCount)
            var output = [Float](repeating: .nan, count: width)
            let last = shape.positions - 1
            sequence.withSpan(last..<shape.positions) { span in
                sequence.queries.withUnsafeBufferPointer { queries in
                    output.withUnsafeMutableBufferPointer { output in
                        context.attend(
                            queries: queries.baseAddress! + last * width, rowStride: width, sequences: span,
                            geometry: sequence.geometry, scale: sequence.scale, output: output.baseAddress!,
                            outputStride: width)
                    }
                }
            }
            #expect(bits(output) == bits(Array(whole[last * width..<(last + 1) * width])))
        }
    }

    /// Several sequences in one operation, at different lengths, are what they are alone.
    @Test func mixedBatches() throws {
        let lengths = [1, 40, 300, 77, 513]
        let sequences = try lengths.enumerated().map {
            try Sequence(Case(heads: 6, kvHeads: 2, headSize: 64, positions: $1), seed: 50 + UInt64($0))
        }
        let width = 6 * 64
        let context = try ComputeContext(threadCount: 2)
        let alone = sequences.map { $0.run(context, chunk: 32) }
        let rowCounts = [1, 3, 1, 20, 1]
        var queries: [Float] = []
        var spans: [AttentionSpan] = []
        for (index, sequence) in sequences.enumerated() {
            let first = lengths[index] - rowCounts[index]
            sequence.withSpan(first..<lengths[index]) { span in
                var own = span[0]
                own.rowOffset = queries.count / width
                spans.append(own)
            }
            queries += sequence.queries[first * width..<lengths[index] * width]
        }
        var output = [Float](repeating: .nan, count: queries.count)
        try withExtendedLifetime(sequences) {
            let geometry = try AttentionGeometry(headCount: 6, kvHeadCount: 2, headSize: 64)
            output.withUnsafeMutableBufferPointer { output in
                spans.withUnsafeBufferPointer { spans in
                    context.attend(
                        queries: queries, rowStride: width, sequences: spans, geometry: geometry,
                        scale: sequences[0].scale, output: output.baseAddress!, outputStride: width)
                }
            }
        }
        var row = 0
        for (index, count) in rowCounts.enumerated() {
            let expected = alone[index].suffix(count * width)
            #expect(bits(Array(output[row * width..<(row + count) * width])) == bits(Array(expected)), "sequence \(index)")
            row += count
        }
    }

    @Test func blockLayout() throws {
        let sequence = try Sequence(Case(heads: 2, kvHeads: 2, headSize: 4, positions: 33), seed: 43)
        #expect(sequence.geometry.blockByteCount == 2 * 2 * 4 * 32 * 2)
        _ = sequence.run(try ComputeContext(threadCount: 1), chunk: 33)
        sequence.withSpan(0..<33) { span in
            for position in [0, 5, 31, 32] {
                let block = span[0].blocks[position / 32].assumingMemoryBound(to: UInt16.self)
                for head in 0..<2 {
                    for d in 0..<4 {
                        let at = position * 8 + head * 4 + d
                        #expect(block[(head * 4 + d) * 32 + position % 32] == Float16(sequence.keys[at]).bitPattern)
                        let value = 2 * 4 * 32 + (head * 32 + position % 32) * 4 + d
                        #expect(block[value] == Float16(sequence.values[at]).bitPattern)
                    }
                }
            }
        }
    }

    @Test func badGeometriesAreRefused() {
        #expect(throws: TensorError.self) { try AttentionGeometry(headCount: 9, kvHeadCount: 2, headSize: 64) }
        #expect(throws: TensorError.self) { try AttentionGeometry(headCount: 0, kvHeadCount: 1, headSize: 64) }
        #expect(throws: TensorError.self) { try AttentionGeometry(headCount: 1, kvHeadCount: 0, headSize: 64) }
        #expect(throws: TensorError.self) { try AttentionGeometry(headCount: 1, kvHeadCount: 1, headSize: 5000) }
    }
}
