import CKernels
import Synchronization
import Tensors
import Testing

@Suite struct ComputeContextTests {
    @Test(arguments: 1...4) func everyTileRunsOnce(_ threadCount: Int) throws {
        let context = try ComputeContext(threadCount: threadCount)
        for tileCount in [0, 1, 2, 3, 17, 1000] {
            let counts = (0..<tileCount).map { _ in Counter() }
            context.parallel(tileCount: tileCount) { counts[$0].value.wrappingAdd(1, ordering: .relaxed) }
            #expect(counts.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
        }
    }

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    /// Small operations one after the other: a late thread must never take a tile of the next one for one of its own.
    @Test func manySmallOperations() throws {
        let context = try ComputeContext(threadCount: 4)
        let sum = Atomic<Int>(0)
        var expected = 0
        for operation in 0..<20_000 {
            let tileCount = 2 + operation % 5
            context.parallel(tileCount: tileCount) { sum.wrappingAdd(operation &* 7 &+ $0, ordering: .relaxed) }
            for tile in 0..<tileCount { expected += operation &* 7 &+ tile }
            if operation % 1000 == 0 { context.rest() }
            if sum.load(ordering: .relaxed) != expected {
                Issue.record("operation \(operation) was not done when it returned")
                return
            }
        }
    }

    /// More threads than CPUs, in several contexts at once, as nodes that share a host have them.
    @Test func oversubscribed() async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    let context = try ComputeContext(threadCount: 8)
                    let sum = Atomic<Int>(0)
                    for _ in 0..<300 {
                        context.parallel(tileCount: 24) { sum.wrappingAdd($0, ordering: .relaxed) }
                    }
                    return sum.load(ordering: .relaxed)
                }
            }
            for try await sum in group { #expect(sum == 300 * 24 * 23 / 2) }
        }
    }

    @Test func contextsComeAndGo() throws {
        for round in 0..<50 {
            let context = try ComputeContext(threadCount: 1 + round % 4)
            if round % 2 == 0 { context.parallel(tileCount: 4) { _ in } }
        }
    }

    @Test func workersRoundToNearestAndKeepDenormals() throws {
        let context = try ComputeContext(threadCount: 3)
        let bad = Atomic<Int>(0)
        context.parallel(tileCount: 64) { _ in
            if sl_float_environment_is_default() == 0 { bad.wrappingAdd(1, ordering: .relaxed) }
        }
        #expect(bad.load(ordering: .relaxed) == 0)
    }

    @Test func badArgumentsAreRefused() {
        #expect(throws: TensorError.self) { try ComputeContext(threadCount: 0) }
        #expect(throws: TensorError.self) { try ComputeContext(threadCount: 100_000) }
        #expect(throws: TensorError.self) { try ComputeContext(threadCount: 2, cpus: [0]) }
        let error = #expect(throws: TensorError.self) { try ComputeContext(threadCount: 2, cpus: [0, 900]) }
        #expect(error?.message.contains("CPU 900") == true)
    }

    @Test func pinnedThreadsCompute() throws {
        let context = try ComputeContext(threadCount: 2, cpus: [0, 0])
        let sum = Atomic<Int>(0)
        context.parallel(tileCount: 10) { sum.wrappingAdd($0, ordering: .relaxed) }
        #expect(sum.load(ordering: .relaxed) == 45)
    }

    @Test func activationsMustFitTheirWeights() throws {
        let context = try ComputeContext(threadCount: 1)
        #expect(throws: TensorError.self) { try context.makeActivations(rowCountMax: 0, columns: 32) }
        #expect(throws: TensorError.self) { try context.makeActivations(rowCountMax: 4, columns: -1) }
        let odd = try context.makeActivations(rowCountMax: 4, columns: 33)
        #expect(!odd.hasQuantisedForm && odd.hasFloatForm)
        let quantised = try context.makeActivations(rowCountMax: 4, columns: 64, formats: [.q4_1])
        #expect(quantised.hasQuantisedForm && !quantised.hasFloatForm)
    }

    /// The operations that fill activations, through a product with float weights of the identity.
    @Test(arguments: InstructionSet.available) func normsAndCopiesFillActivations(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 60)
        let (rows, columns) = (5, 1312)
        let x = random.activations(rows * columns)
        let weight = random.values(columns, 0.5...1.5)
        func run(_ set: InstructionSet, _ threadCount: Int) throws -> [[UInt32]] {
            let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
            var weights = RandomSource(seed: 61)
            let matrices = try [TensorFormat.q4_1, .f16].map { format in
                try context.pack(
                    weights.matrixBytes(format, rows: 40, columns: columns), format, rows: 40, columns: columns)
            }
            let activations = try context.makeActivations(rowCountMax: rows, columns: columns)
            let fills: [() -> Void] = [
                { context.normalize(x, rows: rows, weight: weight, epsilon: 1e-5, into: activations) },
                { context.load(x, rows: rows, into: activations) },
                { context.load(x, rows: 2, rowStride: 2 * columns, into: activations) },
            ]
            return fills.flatMap { fill in
                fill()
                return matrices.map { matrix in
                    var output = [Float](repeating: 0, count: rows * 40)
                    output.withUnsafeMutableBufferPointer {
                        context.multiply(activations, Product(matrix, into: $0.baseAddress!, stride: 40))
                    }
                    return bits(output)
                }
            }
        }
        let expected = try run(.scalar, 1)
        for threadCount in 1...4 { #expect(try run(set, threadCount) == expected) }
        // Rows 0 and 2 of the plain copy are what the strided copy gives.
        #expect(expected[4].prefix(40) == expected[2].prefix(40))
        #expect(expected[5][40..<80] == expected[3][80..<120])
    }

    @Test func biases() throws {
        let context = try ComputeContext(threadCount: 2)
        var x = [Float](repeating: 1, count: 3 * 40)
        let bias = (0..<33).map(Float.init)
        x.withUnsafeMutableBufferPointer {
            context.addBias($0.baseAddress!, rows: 3, rowStride: 40, bias: bias, columns: 33)
        }
        for row in 0..<3 {
            for k in 0..<40 { #expect(x[row * 40 + k] == (k < 33 ? 1 + Float(k) : 1)) }
        }
    }

    @Test func theMachineIsMeasured() throws {
        let context = try ComputeContext(threadCount: 2)
        let rates = MachineProbe.measure(context)
        #expect(rates.readBytesPerSecond > 1e8)
        #expect(rates.multiplyAddsPerSecond > 1e8)
    }
}
