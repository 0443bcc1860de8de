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
/// Threads may be in groups. Then each group has a claim word of its own, for its share of the tiles; its threads take
/// those first and other groups' when none of them are left.
///
/// `@unchecked Sendable`: `jobAddress`, `jobType`, `tileCount` and `tileEnds` are written by the driving thread while
/// no tile is out, published by the releasing store of a claim word and read after an acquiring swap of it.
final class PoolState: @unchecked Sendable {
    /// Longer than the gap between two operations of a step, shorter than anything the operating system notices.
    static let spinNanoseconds: UInt64 = 20_000

    private let storage: UnsafeMutableRawPointer
    // Each on a cache line of its own.
    /// The first group's, which is the driving thread's.
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
    /// The tile behind each group's last.
    private let tileEnds: UnsafeMutablePointer<Int>
    private let threadsBefore: UnsafeMutablePointer<Int>
    let shares: GroupShares

    private static let lineByteCount = 128  // processors fetch lines in pairs
    private static let wordCount = 7

    /// - Parameter threadCounts: of each group; the driving thread is of the first.
    init(threadCounts: [Int]) {
        let lineByteCount = Self.lineByteCount
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: (Self.wordCount + threadCounts.count) * lineByteCount, alignment: lineByteCount)
        self.storage = storage
        jobAddress = UnsafeRawPointer(storage)
        claim = Self.claim(0, in: storage)
        for group in threadCounts.indices { Self.claim(group, in: storage).initialize(to: Atomic(0)) }
        tileEnds = .allocate(capacity: threadCounts.count)
        tileEnds.initialize(repeating: 0, count: threadCounts.count)
        threadsBefore = .allocate(capacity: threadCounts.count + 1)
        threadsBefore.initialize(to: 0)
        for (group, count) in threadCounts.enumerated() {
            (threadsBefore + group + 1).initialize(to: threadsBefore[group] + count)
        }
        shares = GroupShares(groupCount: threadCounts.count, threadsBefore: UnsafePointer(threadsBefore))
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

    deinit {
        storage.deallocate()
        tileEnds.deallocate()
        threadsBefore.deallocate()
    }

    private static func claim(
        _ group: Int, in storage: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let line = group == 0 ? 0 : wordCount - 1 + group
        return (storage + line * lineByteCount).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    // MARK: The driving thread

    /// Deals the job's tiles and takes part; returns when all are done.
    func run<Job: TileJob>(_ job: UnsafePointer<Job>, tileCount: Int) {
        jobAddress = UnsafeRawPointer(job)
        jobType = Job.self
        self.tileCount = tileCount
        generation &+= 1
        isResting.pointee.store(0, ordering: .relaxed)
        doneCount.pointee.store(0, ordering: .relaxed)
        if shares.groupCount == 1 {
            tileEnds.pointee = tileCount
            claim.pointee.store(UInt64(generation) << 32 | UInt64(tileCount), ordering: .sequentiallyConsistent)
        } else {
            dealToGroups(tileCount)
        }
        wakeWord.pointee.store(generation, ordering: .sequentiallyConsistent)
        let sleepers = sleeperCount.pointee.load(ordering: .sequentiallyConsistent)
        if sleepers > 0 {
            sl_thread_wake(Self.address(wakeWord), Int32(min(Int(sleepers), tileCount - 1)))
        }
        runTiles(ofGroup: 0)
        waitUntilDone(UInt32(tileCount))
    }

    private func dealToGroups(_ tileCount: Int) {
        // All ends before the first claim: who takes a tile may go on to any group's.
        for group in 0..<shares.groupCount { tileEnds[group] = shares.range(ofGroup: group, of: tileCount).upperBound }
        for group in 0..<shares.groupCount {
            let count = shares.range(ofGroup: group, of: tileCount).count
            Self.claim(group, in: storage).pointee.store(
                UInt64(generation) << 32 | UInt64(count), ordering: .sequentiallyConsistent)
        }
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

    /// Takes tiles as long as there are any, the group's own first.
    private func runTiles(ofGroup group: Int) {
        let groupCount = shares.groupCount
        guard groupCount > 1 else {
            takeTiles(claim, end: tileEnds)
            return
        }
        for distance in 0..<groupCount {
            let other = (group + distance) % groupCount
            takeTiles(Self.claim(other, in: storage), end: tileEnds + other)
        }
    }

    private func takeTiles(_ claim: UnsafeMutablePointer<Atomic<UInt64>>, end: UnsafePointer<Int>) {
        var word = claim.pointee.load(ordering: .acquiring)
        while UInt32(truncatingIfNeeded: word) > 0 {
            let (isTaken, found) = claim.pointee.weakCompareExchange(
                expected: word, desired: word - 1, ordering: .acquiringAndReleasing)
            guard isTaken else {
                word = found
                continue
            }
            let count = tileCount
            jobType.runTile(end.pointee - Int(UInt32(truncatingIfNeeded: word)), ofJobAt: jobAddress)
            let done = doneCount.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
            if done == UInt32(count), isDriverAsleep.pointee.load(ordering: .sequentiallyConsistent) != 0 {
                sl_thread_wake(Self.address(doneCount), 1)
            }
            word = claim.pointee.load(ordering: .acquiring)
        }
    }

    // MARK: Workers

    func runWorker(ofGroup group: Int) {
        sl_float_environment_set_default()
        while isStopping.pointee.load(ordering: .acquiring) == 0 {
            precondition(sl_float_environment_is_default() != 0, "a worker's rounding or denormal mode was changed")
            runTiles(ofGroup: group)
            if !spinForTiles() { sleepForTiles() }
        }
    }

    private var hasTiles: Bool {
        if Self.hasTiles(claim) { return true }
        guard shares.groupCount > 1 else { return false }
        return (1..<shares.groupCount).contains { Self.hasTiles(Self.claim($0, in: storage)) }
    }

    private static func hasTiles(_ claim: UnsafeMutablePointer<Atomic<UInt64>>) -> Bool {
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
