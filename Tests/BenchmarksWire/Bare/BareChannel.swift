import CPlatform
import Glibc

/// Moves whole messages over a socket with as few system calls as there are: a blocking read and write, or epoll with
/// a socket that never blocks.
///
/// `@unchecked Sendable`: one thread at a time uses it, the one that works for the benchmark at that moment.
final class BareChannel: @unchecked Sendable {
    enum Style: UInt64, CaseIterable {
        case blocking = 1
        case epoll = 2
    }

    private let descriptor: Int32
    private let style: Style
    private let poll: Int32
    private var events = [sl_poll_event](repeating: sl_poll_event(), count: Int(sl_poll_event_count_max))

    init(_ descriptor: Int32, style: Style) throws {
        self.descriptor = descriptor
        self.style = style
        guard style == .epoll else {
            poll = -1
            return
        }
        BareSocket.setNonBlocking(descriptor)
        poll = sl_poll_create()
        guard poll >= 0, sl_poll_add(poll, descriptor, 1, SL_POLL_READABLE) == 0 else {
            throw BareSocket.Failure("epoll")
        }
    }

    deinit {
        if poll >= 0 { close(poll) }
        close(descriptor)
    }

    /// False when the other end has closed.
    func read(_ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        guard style == .epoll else { return BareSocket.readAll(descriptor, bytes) }
        var filled = 0
        while filled < bytes.count {
            guard wait() else { return false }
            let count = recv(descriptor, bytes.baseAddress! + filled, bytes.count - filled, 0)
            if count > 0 { filled += count } else if count == 0 || (errno != EAGAIN && errno != EINTR) { return false }
        }
        return true
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard style == .epoll else { return BareSocket.writeAll(descriptor, bytes) }
        var sent = 0
        while sent < bytes.count {
            let count = send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            if count > 0 { sent += count } else if errno == EAGAIN { sched_yield() } else { return false }
        }
        return true
    }

    private func wait() -> Bool {
        while true {
            let count = sl_poll_wait(poll, &events, -1)
            if count > 0 { return true }
            if count < 0, errno != EINTR { return false }
        }
    }
}
