import CMachineLoops
import Memory
import Synchronization
import Tensors

/// What the machine gives at most at this moment, over all threads of a context: the measures that kernels and models
/// are held against.
final class MachineLoops {
    /// A way to read memory.
    private struct Pattern {
        let streamCount: Int32
        let prefetchByteCount: Int
    }

    /// Which multiply-adds.
    enum Arithmetic: String, Encodable {
        /// Bytes to 32-bit sums.
        case dot
        /// float32, fused.
        case float
    }

    let context: ComputeContext
    private let memory: AlignedBuffer
    private let sets: [sl_loop_set]
    /// After the first reading, one for each number of streams.
    private var patterns: [Pattern]

    /// Of a tile: long enough that dealing costs nothing, short enough for all threads to end together.
    private static let pieceByteCount = 4 << 20
    private static let streamCounts: [Int32] = [1, 2, 4, 8]
    /// Of each tile of a multiplying loop: some 0.2 ms at 200 a nanosecond.
    private static let multiplyAddsPerTile = 40_000_000
    private static let nanosecondsPerMultiplying = 12_000_000.0

    /// - Parameters:
    ///   - memory: what is read; see `readable(byteCount:)`.
    ///   - instructionSet: whose multiply-adds are the measure: a kernel set without byte dot products is held against
    ///     a loop without them.
    init(context: ComputeContext, memory: AlignedBuffer, instructionSet: InstructionSet = .best) {
        self.context = context
        self.memory = memory
        sets = Self.sets(of: instructionSet)
        patterns = Self.streamCounts.flatMap { count in
            [0, 512, 1024].map { Pattern(streamCount: count, prefetchByteCount: $0) }
        }
    }

    /// Memory to read: every page is there, in huge pages where they can be had.
    static func readable(byteCount: Int, context: ComputeContext) throws -> AlignedBuffer {
        let count = (byteCount + pieceByteCount - 1) / pieceByteCount
        let buffer = try AlignedBuffer(byteCount: count * pieceByteCount, hugePages: true)
        let base = buffer.base
        context.parallel(tileCount: count) { piece in
            (base + piece * pieceByteCount).initializeMemory(as: UInt8.self, repeating: 1, count: pieceByteCount)
        }
        return buffer
    }

    // MARK: Reading

    /// Bytes read a second: the best of 1, 2, 4 and 8 streams. The first call tries each with several distances of
    /// prefetching, later ones with the distance that was fastest then.
    func readRate() -> Double {
        let rates = patterns.map { rate(of: $0) }
        if patterns.count > Self.streamCounts.count {
            patterns = Self.streamCounts.compactMap { count in
                zip(patterns, rates).filter { $0.0.streamCount == count }.max { $0.1 < $1.1 }?.0
            }
        }
        return rates.max() ?? 0
    }

    private func rate(of pattern: Pattern) -> Double {
        let base = memory.base
        let seconds = Stopwatch.seconds {
            context.parallel(tileCount: memory.byteCount / Self.pieceByteCount) { piece in
                keep(
                    sl_loop_read(
                        base + piece * Self.pieceByteCount, Self.pieceByteCount, pattern.streamCount,
                        pattern.prefetchByteCount))
            }
        }
        return Double(memory.byteCount) / seconds
    }

    // MARK: Multiplying

    /// Multiply-adds a second in registers, of the fastest loop.
    func multiplyRate(_ arithmetic: Arithmetic) -> Double {
        sets.map { rate(of: $0, arithmetic) }.max() ?? 0
    }

    private func rate(of set: sl_loop_set, _ arithmetic: Arithmetic) -> Double {
        let threads = context.threadCount
        func pass(tileCount: Int) -> Double {
            let done = Atomic<Int64>(0)
            let seconds = Stopwatch.seconds {
                context.parallel(tileCount: tileCount) { _ in
                    let count = Int64(Self.multiplyAddsPerTile)
                    let own = arithmetic == .dot ? sl_loop_dot(set, count) : sl_loop_fma(set, count)
                    done.add(own, ordering: .relaxed)
                }
            }
            return Double(done.load(ordering: .relaxed)) / seconds
        }
        // As many tiles as fill the time, whatever the processor.
        let first = pass(tileCount: threads)
        let perTile = Double(Self.multiplyAddsPerTile) * Double(threads) / first * 1e9
        return pass(tileCount: threads * max(2, Int(Self.nanosecondsPerMultiplying / perTile)))
    }

    private static func sets(of instructionSet: InstructionSet) -> [sl_loop_set] {
        let wanted: [sl_loop_set] =
            switch instructionSet {
            case .scalar: [SL_LOOP_PORTABLE]
            case .avx2: [SL_LOOP_AVX2]
            // The kernels take whichever encoding of the instruction the processor has.
            case .avxvnni: [SL_LOOP_AVX_VNNI, SL_LOOP_AVX512_VNNI_YMM]
            case .avx512: [SL_LOOP_AVX512, SL_LOOP_AVX2]
            case .avx512vnni: [SL_LOOP_AVX512_VNNI, SL_LOOP_AVX512_VNNI_YMM]
            case .amx: [SL_LOOP_AMX]
            case .neon: [SL_LOOP_NEON_DOT]
            }
        let available = wanted.filter { sl_loop_is_available($0) != 0 }
        return available.isEmpty ? [SL_LOOP_PORTABLE] : available
    }
}

/// Keeps the optimiser from dropping a reading whose result nobody uses.
@inline(never)
@_optimize(none)
private func keep(_ value: UInt64) {}
