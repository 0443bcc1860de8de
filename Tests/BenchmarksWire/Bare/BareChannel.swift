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

    private let stream: BareStream
    private let style: Style
    private let poll: Int32
    private var events = [sl_poll_event](repeating: sl_poll_event(), count: Int(sl_poll_event_count_max))

    init(_ stream: BareStream, style: Style) throws {
        self.stream = stream
        self.style = style
        guard style == .epoll else {
            poll = -1
            return
        }
        BareSocket.setNonBlocking(stream.descriptor)
        poll = sl_poll_create()
        guard poll >= 0, sl_poll_add(poll, stream.descriptor, 1, SL_POLL_READABLE) == 0 else {
            throw BareSocket.Failure("epoll")
        }
    }

    deinit { if poll >= 0 { close(poll) } }

    /// False when the other end has closed.
    func read(_ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        guard style == .epoll else { return stream.readAll(bytes) }
        var filled = 0
        while filled < bytes.count {
            // What TLS holds already the socket gives no sign for.
            guard stream.tls?.isHolding == true || wait() else { return false }
            let count = stream.read(UnsafeMutableRawBufferPointer(rebasing: bytes[filled...]))
            if count > 0 { filled += count } else if count == 0 { return false }
        }
        return true
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard style == .epoll else { return stream.writeAll(bytes) }
        var sent = 0
        while sent < bytes.count {
            let count = stream.write(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
            if count > 0 { sent += count } else if count == 0 { return false } else { sched_yield() }
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
