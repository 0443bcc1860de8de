import Glibc

/// What became of one attempt to move bytes.
enum StreamProgress: Sendable {
    /// At least one; of `flush`, none is left.
    case bytes(Int)
    /// The socket must become ready first.
    case blocked
    /// The other end writes no more. Truncated: an encrypted stream was cut off without saying so itself.
    case ended(isTruncated: Bool)
    case failed(String)
}

/// The two directions of one connection, in plain or encrypted bytes. `read` is called on the loop, `write` by one
/// thread at a time, both may be called at once.
protocol ByteStream: AnyObject, Sendable {
    /// Whether the stream itself finds changed bytes; frames need no checksums then.
    var protectsBytes: Bool { get }
    /// What is known of the other end. On the loop.
    var authentication: Authentication { get }
    /// Writing may begin: reading has done what comes before. On the loop.
    var isReady: Bool { get }
    /// Whether the stream holds bytes, or its end, that the next `read` gives without a new sign from the socket. On
    /// the loop.
    var mayHaveMore: Bool { get }
    /// Bytes that `write` or `read` has taken or made wait in the stream for the socket; `flush` sends them.
    var hasUnsentBytes: Bool { get }
    /// Fills the parts in order.
    func read(into parts: UnsafeBufferPointer<iovec>) -> StreamProgress
    /// Writes from the parts in order.
    func write(from parts: UnsafeBufferPointer<iovec>) -> StreamProgress
    /// Sends what waits in the stream.
    func flush() -> StreamProgress
    /// Tells the other end that nothing more will be written.
    func finishWriting()
    /// Ends both directions at once; the descriptor itself lives as long as the stream.
    func shutDown()
}
