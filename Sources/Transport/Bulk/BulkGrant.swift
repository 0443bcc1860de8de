/// A landing place that the other end may fill.
public final class BulkGrant: Sendable {
    /// Names the transfer to the other end, which must be told it in a message of the program's own. Numbers of
    /// different peers, and of the two directions of a pair, have nothing to do with each other.
    public let transfer: UInt64
    private let exchange: BulkExchange
    private let completion: BulkCompletion

    init(transfer: UInt64, exchange: BulkExchange, completion: BulkCompletion) {
        self.transfer = transfer
        self.exchange = exchange
        self.completion = completion
    }

    /// Waits until all bytes are there and checked.
    public func landed() async throws(BulkFailure) { try await completion.wait() }

    /// Takes the grant back. Its end is told in any case: once that has happened, nothing is written to the places.
    public func cancel(_ message: String = "the receiver has given up the transfer") {
        exchange.revoke(transfer, BulkFailure(.cancelled, message))
    }
}

/// Bytes on their way to a landing place.
public final class BulkSending: Sendable {
    public let transfer: UInt64
    private let exchange: BulkExchange
    private let completion: BulkCompletion

    init(transfer: UInt64, exchange: BulkExchange, completion: BulkCompletion) {
        self.transfer = transfer
        self.exchange = exchange
        self.completion = completion
    }

    /// Waits until the other end says that all bytes are there. When it returns or throws, nothing reads from the
    /// buffers any more.
    public func landed() async throws(BulkFailure) { try await completion.wait() }

    public func cancel(_ message: String = "the sender has given up the transfer") {
        exchange.abandon(transfer, BulkFailure(.cancelled, message))
    }
}
