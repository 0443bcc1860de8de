import CAllocationCount
import Glibc
import Synchronization
import Transport

/// What a loop's thread has used since a moment.
enum LoopMeasure {
    /// Counts memory from here on.
    static func begin(_ loop: EventLoop) async { await on(loop) { sl_allocation_count_begin() } }

    /// Ends counting.
    static func end(_ loop: EventLoop) async { await on(loop) { _ = sl_allocation_count_end() } }

    /// Bytes allocated and not freed since `begin`.
    static func heldByteCount(_ loop: EventLoop) async -> Int {
        await on(loop) { Int(sl_allocation_held_byte_count()) }
    }

    /// Ends counting; bytes that were asked for since `begin`.
    static func byteCount(_ loop: EventLoop) async -> Int {
        await on(loop) {
            _ = sl_allocation_count_end()
            return Int(sl_allocation_byte_count())
        }
    }

    /// Nanoseconds that the thread has computed since it was started.
    static func processorTime(_ loop: EventLoop) async -> UInt64 {
        await on(loop) {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
    }

    private static func on<Value: Sendable>(_ loop: EventLoop, _ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            loop.execute { continuation.resume(returning: body()) }
        }
    }
}
