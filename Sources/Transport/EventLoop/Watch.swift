import CPlatform
import Synchronization

/// What a descriptor is ready for, or should be watched for.
struct Readiness: OptionSet, Sendable {
    let rawValue: UInt32
    static let readable = Readiness(rawValue: SL_POLL_READABLE)
    static let writable = Readiness(rawValue: SL_POLL_WRITABLE)
    /// The other end writes no more. Reported before the bytes that are still unread.
    static let ending = Readiness(rawValue: SL_POLL_READ_HANG_UP)
    /// The connection is gone; reported whether it is watched for or not.
    static let broken = Readiness(rawValue: SL_POLL_ERROR | SL_POLL_HANG_UP)
}

/// Is told on the loop's thread what a watched descriptor is ready for.
protocol ReadinessHandler: AnyObject, Sendable {
    func ready(for readiness: Readiness)
}

/// A descriptor under a loop's eyes, until it is cancelled. From any thread.
final class Watch: Sendable {
    private let loop: EventLoop
    private let descriptor: Int32
    private let token: UInt64
    /// Nil once cancelled: the descriptor's number may be somebody else's by then.
    private let interest: Mutex<Readiness?>

    init(loop: EventLoop, descriptor: Int32, token: UInt64, interest: Readiness) {
        self.loop = loop
        self.descriptor = descriptor
        self.token = token
        self.interest = Mutex(interest)
    }

    func change(adding added: Readiness = [], removing removed: Readiness = []) {
        interest.withLock { interest in
            guard let old = interest else { return }
            let new = old.union(added).subtracting(removed)
            guard new != old else { return }
            interest = new
            _ = sl_poll_modify(loop.poll, descriptor, token, new.rawValue)
        }
    }

    /// Must come before the descriptor is closed.
    func cancel() {
        let isFirst = interest.withLock { interest in
            guard interest != nil else { return false }
            interest = nil
            _ = sl_poll_remove(loop.poll, descriptor)
            return true
        }
        if isFirst { loop.forget(token) }
    }
}
