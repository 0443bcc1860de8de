public import Vocabulary

/// Work that a loop does at a point of time, unless it is cancelled before.
///
/// `@unchecked Sendable`: `position` is read and written under the lock of the loop that made the timer; everything
/// else is constant.
public final class LoopTimer: @unchecked Sendable {
    public let deadline: Instant
    let work: @Sendable () -> Void
    private let loop: EventLoop
    /// In the loop's heap; -1 outside.
    var position = -1

    init(deadline: Instant, loop: EventLoop, work: @escaping @Sendable () -> Void) {
        self.deadline = deadline
        self.loop = loop
        self.work = work
    }

    /// Does nothing when the work has begun or was cancelled. From any thread.
    public func cancel() { loop.cancel(self) }
}
