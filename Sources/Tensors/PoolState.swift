import CKernels
import CPlatform
import Synchronization

/// What the driving thread and the workers of a pool share.
///
/// An operation is dealt by one word: its generation in the upper half, the number of tiles nobody has taken yet in the
/// lower half. A thread takes a tile by lowering that word with a compare-and-swap. Only then does it read what the
/// operation is: an operation is over when all its tiles are done, so a taken tile keeps it in place. A thread that
/// arrives late finds no tiles left and never touches the operation.
///
/// `@unchecked Sendable`: `jobAddress`, `jobType` and `tileCount` are written by the driving thread while no tile is
/// out, published by the releasing store of the claim word and read after an acquiring swap of it.
final class PoolState: @unchecked Sendable {
    /// Longer than the gap between two operations of a step, shorter than anything the operating system notices.
    static let spinNanoseconds: UInt64 = 20_000

    private let storage: UnsafeMutableRawPointer
    // Each on a cache line of its own.
    private let claim: UnsafeMutablePointer<Atomic<UInt64>>
    private let doneCount: UnsafeMutablePointer<Atomic<UInt32>>
    private let wakeWord: UnsafeMutablePointer<Atomic<UInt32>>
    private let sleeperCount: UnsafeMutablePointer<Atomic<UInt32>>
    private let isDriverAsleep: UnsafeMutablePointer<Atomic<UInt32>>
    private let isResting: UnsafeMutablePointer<Atomic<UInt32>>
    private let isStopping: UnsafeMutablePointer<Atomic<UInt32>>

    private var generation: UInt32 = 0
    private var jobAddress: UnsafeRawPointer
    private var jobType: any TileJob.Type = ClosureJob.self
    private var tileCount = 0

    init() {
        let lineByteCount = 128  // processors fetch lines in pairs
        let storage = UnsafeMutableRawPointer.allocate(byteCount: 7 * lineByteCount, alignment: lineByteCount)
        self.storage = storage
        jobAddress = UnsafeRawPointer(storage)
        claim = storage.bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        claim.initialize(to: Atomic(0))
        func word(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
            let pointer = (storage + index * lineByteCount).bindMemory(to: Atomic<UInt32>.self, capacity: 1)
            pointer.initialize(to: Atomic(0))
            return pointer
        }
        doneCount = word(1)
        wakeWord = word(2)
        sleeperCount = word(3)
        isDriverAsleep = word(4)
        isResting = word(5)
        isStopping = word(6)
    }

    deinit { storage.deallocate() }

    // MARK: The driving thread

    /// Deals the job's tiles and takes part; returns when all are done.
    func run<Job: TileJob>(_ job: UnsafePointer<Job>, tileCount: Int) {
        jobAddress = UnsafeRawPointer(job)
        jobType = Job.self
        self.tileCount = tileCount
        generation &+= 1
        isResting.pointee.store(0, ordering: .relaxed)
        doneCount.pointee.store(0, ordering: .relaxed)
        claim.pointee.store(UInt64(generation) << 32 | UInt64(tileCount), ordering: .sequentiallyConsistent)
        wakeWord.pointee.store(generation, ordering: .sequentiallyConsistent)
        let sleepers = sleeperCount.pointee.load(ordering: .sequentiallyConsistent)
        if sleepers > 0 {
            sl_thread_wake(Self.address(wakeWord), Int32(min(Int(sleepers), tileCount - 1)))
        }
        runTiles()
        waitUntilDone(UInt32(tileCount))
    }

    /// No operation follows soon: idle workers stop spinning.
    func rest() { isResting.pointee.store(1, ordering: .relaxed) }

    /// Lets the workers end.
    func stop() {
        isStopping.pointee.store(1, ordering: .sequentiallyConsistent)
        wakeWord.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        sl_thread_wake(Self.address(wakeWord), Int32.max)
    }

    private func waitUntilDone(_ count: UInt32) {
        let started = sl_thread_nanoseconds()
        var done = doneCount.pointee.load(ordering: .acquiring)
        while done != count {
            for _ in 0..<32 where done != count {
                sl_thread_pause()
                done = doneCount.pointee.load(ordering: .acquiring)
            }
            if done != count, sl_thread_nanoseconds() &- started > Self.spinNanoseconds { break }
        }
        guard done != count else { return }
        isDriverAsleep.pointee.store(1, ordering: .sequentiallyConsistent)
        done = doneCount.pointee.load(ordering: .sequentiallyConsistent)
        while done != count {
            sl_thread_wait(Self.address(doneCount), done)
            done = doneCount.pointee.load(ordering: .sequentiallyConsistent)
        }
        isDriverAsleep.pointee.store(0, ordering: .relaxed)
    }

    // MARK: Every thread

    private func runTiles() {
        var word = claim.pointee.load(ordering: .acquiring)
        while UInt32(truncatingIfNeeded: word) > 0 {
            let (isTaken, found) = claim.pointee.weakCompareExchange(
                expected: word, desired: word - 1, ordering: .acquiringAndReleasing)
            guard isTaken else {
                word = found
                continue
            }
            let count = tileCount
            jobType.runTile(count - Int(UInt32(truncatingIfNeeded: word)), ofJobAt: jobAddress)
            let done = doneCount.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
            if done == UInt32(count), isDriverAsleep.pointee.load(ordering: .sequentiallyConsistent) != 0 {
                sl_thread_wake(Self.address(doneCount), 1)
            }
            word = claim.pointee.load(ordering: .acquiring)
        }
    }

    // MARK: Workers

    func runWorker() {
        sl_float_environment_set_default()
        while isStopping.pointee.load(ordering: .acquiring) == 0 {
            precondition(sl_float_environment_is_default() != 0, "a worker's rounding or denormal mode was changed")
            runTiles()
            if !spinForTiles() { sleepForTiles() }
        }
    }

    private var hasTiles: Bool {
        UInt32(truncatingIfNeeded: claim.pointee.load(ordering: .sequentiallyConsistent)) > 0
    }

    private func spinForTiles() -> Bool {
        let started = sl_thread_nanoseconds()
        repeat {
            for _ in 0..<32 {
                if hasTiles { return true }
                sl_thread_pause()
            }
            if isResting.pointee.load(ordering: .relaxed) != 0 { return false }
        } while sl_thread_nanoseconds() &- started < Self.spinNanoseconds
        return false
    }

    private func sleepForTiles() {
        sleeperCount.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        let word = wakeWord.pointee.load(ordering: .sequentiallyConsistent)
        if !hasTiles, isStopping.pointee.load(ordering: .sequentiallyConsistent) == 0 {
            sl_thread_wait(Self.address(wakeWord), word)
        }
        sleeperCount.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    private static func address(_ word: UnsafeMutablePointer<Atomic<UInt32>>) -> UnsafePointer<UInt32> {
        UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }
}
