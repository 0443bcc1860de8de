import Glibc

/// A connection without encryption.
final class PlainStream: ByteStream {
    private let socket: Socket

    init(socket: Socket) { self.socket = socket }

    var protectsBytes: Bool { false }
    var authentication: Authentication { .none }
    var isReady: Bool { true }
    var mayHaveMore: Bool { false }
    var hasUnsentBytes: Bool { false }

    func read(into parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        while true {
            let count = readv(socket.descriptor, parts.baseAddress, Int32(parts.count))
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended(isTruncated: false) }
            if errno != EINTR { return .ofSystem(errno) }
        }
    }

    func write(from parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: parts.baseAddress)
        message.msg_iovlen = parts.count
        while true {
            // As writev(), but a connection that is gone must not raise SIGPIPE.
            let count = sendmsg(socket.descriptor, &message, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            if errno != EINTR { return .ofSystem(errno) }
        }
    }

    func flush() -> StreamProgress { .bytes(0) }

    func finishWriting() { shutdown(socket.descriptor, Int32(SHUT_WR)) }

    func shutDown() { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }
}

extension StreamProgress {
    /// Of a system call that failed.
    static func ofSystem(_ number: Int32) -> StreamProgress {
        number == EAGAIN ? .blocked : .failed(TransportError.text(ofErrno: number))
    }
}
