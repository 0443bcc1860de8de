import Glibc

/// What became of one attempt to move bytes.
enum StreamProgress: Sendable {
    /// At least one.
    case bytes(Int)
    /// The socket must become ready first.
    case blocked
    /// The other end writes no more.
    case ended
    case failed(String)
}

/// The two directions of one connection, in plain or (once there is such a stream) encrypted bytes. `read` is called
/// on the loop, `write` by one thread at a time, both may be called at once.
protocol ByteStream: AnyObject, Sendable {
    /// Whether the stream itself finds changed bytes; frames need no checksums then.
    var protectsBytes: Bool { get }
    /// Fills the parts in order.
    func read(into parts: UnsafeBufferPointer<iovec>) -> StreamProgress
    /// Writes from the parts in order.
    func write(from parts: UnsafeBufferPointer<iovec>) -> StreamProgress
    /// Tells the other end that nothing more will be written.
    func finishWriting()
    /// Ends both directions at once; the descriptor itself lives as long as the stream.
    func shutDown()
}

/// A connection without encryption.
final class PlainStream: ByteStream {
    private let socket: Socket

    init(socket: Socket) { self.socket = socket }

    var protectsBytes: Bool { false }

    func read(into parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        while true {
            let count = readv(socket.descriptor, parts.baseAddress, Int32(parts.count))
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            if errno != EINTR { return Self.failure(errno) }
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
            if errno != EINTR { return Self.failure(errno) }
        }
    }

    func finishWriting() { shutdown(socket.descriptor, Int32(SHUT_WR)) }

    func shutDown() { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }

    private static func failure(_ number: Int32) -> StreamProgress {
        number == EAGAIN ? .blocked : .failed(TransportError.text(ofErrno: number))
    }
}
