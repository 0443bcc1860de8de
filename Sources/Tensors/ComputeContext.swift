import CKernels
import CPlatform
public import Memory

/// A worker pool and the kernels of one instruction set: everything a stage computes goes through one of these.
///
/// `@unchecked Sendable`: a context may be handed to another thread, but only one thread at a time may drive it. The
/// driving thread computes too. Operations do not nest: no tile may start another operation of its context.
public final class ComputeContext: @unchecked Sendable {
    public var threadCount: Int { layout.threadCount }
    public let instructionSet: InstructionSet

    let kernels: UnsafePointer<sl_kernels>
    let pool: WorkerPool
    /// Memory for partial results, kept from call to call.
    let scratch = Scratch()
    let unitScratch = Scratch()
    let arena = WeightArena()
    /// Where packing reads to, kept until `finishPacking`.
    var pieces: PackingPieces?
    let layout: ThreadLayout

    /// - Parameters:
    ///   - threadCount: 1 or more, the driving thread included.
    ///   - cpus: one CPU number a thread: the workers are bound to `cpus[1...]`; `cpus[0]` is the driving thread's,
    ///     which binds itself with `bindCallingThread()`. Nil binds no thread.
    public convenience init(
        threadCount: Int, instructionSet: InstructionSet = .best, cpus: [Int]? = nil
    ) throws(TensorError) {
        try Self.check(threadCount: threadCount)
        if let cpus, cpus.count < threadCount {
            throw TensorError(
                .invalidSize, "\(cpus.count) CPUs given for \(threadCount) compute threads; give one for each thread")
        }
        let layout = cpus.map { ThreadLayout.cpus(Array($0.prefix(threadCount))) }
        try self.init(layout: layout ?? .anywhere(threadCount: threadCount), instructionSet: instructionSet)
    }

    /// - Parameter layout: where threads run; the first is the driving one and binds itself with `bindCallingThread()`.
    public init(layout: ThreadLayout, instructionSet: InstructionSet = .best) throws(TensorError) {
        try Self.check(threadCount: layout.threadCount)
        guard let kernels = sl_kernels_find(instructionSet.kernelSet) else {
            let names = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
            throw TensorError(
                .unsupported,
                "this processor has no \(instructionSet.rawValue) instructions; choose one of: \(names)")
        }
        self.layout = layout
        self.instructionSet = instructionSet
        self.kernels = kernels
        pool = try WorkerPool(layout: layout)
    }

    private static func check(threadCount: Int) throws(TensorError) {
        guard (1...threadCountMax).contains(threadCount) else {
            throw TensorError(
                .invalidSize, "\(threadCount) compute threads asked for; give a number from 1 to \(threadCountMax)")
        }
    }

    /// The most threads a context may have.
    public static let threadCountMax = 1024

    /// Binds the calling thread, which is about to drive this context, to where the layout has its first thread.
    public func bindCallingThread() throws(TensorError) { try layout.bindCallingThread(0) }

    /// For memory that all threads read alike, when nothing else is said: with threads on several NUMA nodes it comes
    /// from all of them.
    public var sharedPlacement: Placement { layout.groups.count > 1 ? .interleaved : .anywhere }

    /// Runs each tile 0 ..< tileCount of a job once, over all threads; returns when all have run.
    package func run(_ job: some TileJob, tileCount: Int) { pool.run(job, tileCount: tileCount) }

    /// Calls `body` once for each tile 0 ..< tileCount, over all threads; returns when all calls have returned.
    /// Allocates a little, as `run` does not.
    public func parallel(tileCount: Int, _ body: (Int) -> Void) {
        withoutActuallyEscaping(body) { pool.run(ClosureJob(body: $0), tileCount: tileCount) }
    }

    /// Says that a step is over and no operation follows at once: idle workers go to sleep instead of spinning.
    public func rest() { pool.rest() }

    // MARK: Tiles

    /// How many tiles an operation of about `nanoseconds` on one thread is cut into, at most one a unit.
    ///
    /// Tiles of some 8 µs: threads end an operation within one tile of each other, and one that was interrupted holds
    /// up no more; yet taking a tile costs a hundredth of it. Many threads take longer ones, because they take them
    /// from one place. An operation shorter than two dealings' worth stays with the driving thread.
    func tileCount(nanoseconds: Double, unitCount: Int) -> Int {
        guard threadCount > 1, nanoseconds > 4_000, unitCount > 1 else { return 1 }
        let threads = Double(threadCount)
        let wanted = max(threads, nanoseconds / max(8_000, 250 * threads))
        return wanted < Double(unitCount) ? Int(wanted.rounded()) : unitCount
    }
}
