import CKernels
import Memory
import Synchronization
import Tensors
import Testing

/// Threads of several NUMA nodes, as this machine may not have them: groups that all lie on one node.
@Suite struct ThreadGroupTests {
    static let layouts = [[1, 1], [2, 1], [1, 3], [1, 1, 1], [2, 1, 3], [1, 1, 1, 1, 1]]

    private func context(_ threadCounts: [Int], node: Int? = nil) throws -> ComputeContext {
        try ComputeContext(layout: ThreadLayout(groupsOfThreads: threadCounts, node: node))
    }

    @Test(arguments: layouts) func everyTileRunsOnce(_ threadCounts: [Int]) throws {
        let context = try context(threadCounts)
        for tileCount in [0, 1, 2, 3, 4, 5, 17, 1000] {
            let counts = (0..<tileCount).map { _ in Counter() }
            context.parallel(tileCount: tileCount) { counts[$0].value.wrappingAdd(1, ordering: .relaxed) }
            #expect(counts.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
        }
    }

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    @Test(arguments: layouts) func manySmallOperations(_ threadCounts: [Int]) throws {
        let context = try context(threadCounts)
        let sum = Atomic<Int>(0)
        var expected = 0
        for operation in 0..<10_000 {
            let tileCount = 2 + operation % 7
            context.parallel(tileCount: tileCount) { sum.wrappingAdd(operation &* 7 &+ $0, ordering: .relaxed) }
            for tile in 0..<tileCount { expected += operation &* 7 &+ tile }
            if operation % 1000 == 0 { context.rest() }
            if sum.load(ordering: .relaxed) != expected {
                Issue.record("operation \(operation) was not done when it returned")
                return
            }
        }
    }

    /// Two threads of two groups, each of which waits in its first tile for the other's: those are the first tiles of
    /// the groups' shares.
    @Test func threadsBeginWithTheirOwnShare() throws {
        let context = try context([1, 1])
        for tileCount in [2, 5, 8, 100] {
            let begun = Mutex<[Int]>([])
            context.parallel(tileCount: tileCount) { tile in
                begun.withLock { $0.append(tile) }
                while begun.withLock({ $0.count }) < 2 {}
            }
            #expect(Set(begun.withLock { $0.prefix(2) }) == [0, tileCount / 2])
        }
    }

    @Test(arguments: layouts) func productsHaveTheSameBits(_ threadCounts: [Int]) throws {
        var random = RandomSource(seed: 31)
        let single = try ComputeContext(threadCount: 1)
        // Fake groups whose memory is placed, too: all on the node there is.
        let context = try context(threadCounts, node: NumaTopology.nodes[0])
        let formats: [TensorFormat] = [.q4_1, .q8_0, .f32]
        // From fewer panels than groups to matrices of several megabytes.
        for (sizes, columns, rows) in [
            ([1, 16, 17], 64, 1), ([40, 1, 600], 512, 3), ([2000, 700, 333], 1024, 1), ([5000, 3000, 100], 1024, 9),
        ] {
            let sources = zip(formats, sizes).map { random.matrixBytes($0, rows: $1, columns: columns) }
            let x = random.activations(rows * columns)
            func products(_ context: ComputeContext) throws -> [UInt32] {
                let matrices = try sources.indices.map {
                    try context.pack(sources[$0], formats[$0], rows: sizes[$0], columns: columns)
                }
                context.finishPacking()
                let activations = try context.makeActivations(rowCountMax: rows, columns: columns)
                context.load(x, rows: rows, into: activations)
                let stride = sizes.max() ?? 0
                var outputs = [Float](repeating: .nan, count: 3 * rows * stride)
                outputs.withUnsafeMutableBufferPointer { buffer in
                    let products = matrices.indices.map {
                        Product(matrices[$0], into: buffer.baseAddress! + $0 * rows * stride, stride: stride)
                    }
                    context.multiply(activations, products[0], products[1], products[2])
                    context.multiply(activations, products[1], epilogue: .add)
                }
                return bits(outputs)
            }
            #expect(try products(context) == products(single), "\(sizes) x \(columns)")
        }
    }

    @Test func layoutsFollowTheMachine() throws {
        #expect(ThreadLayout.anywhere(threadCount: 3).threadCount == 3)
        let cpu = NumaTopology.cpus[0]
        let node = try #require(NumaTopology.node(ofCPU: cpu))
        for layout in [.cpus([cpu, cpu]), .node(node, threadCount: 2), ThreadLayout.allNodes(threadCount: 2)] {
            #expect(layout.threadCount == 2)
            let context = try ComputeContext(layout: layout)
            let sum = Atomic<Int>(0)
            context.parallel(tileCount: 10) { sum.wrappingAdd($0, ordering: .relaxed) }
            #expect(sum.load(ordering: .relaxed) == 45)
        }
        #expect(try context([1, 1]).sharedPlacement == .interleaved)
        #expect(try ComputeContext(threadCount: 2, cpus: [cpu, cpu]).sharedPlacement == .anywhere)
    }
}
