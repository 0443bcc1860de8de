public import Memory
public import Vocabulary

/// Bulk transfers: large data goes from where it lies to where it stays, without copies and without a handler that
/// waits. The receiver grants a landing place and tells the sender the transfer's number in a message of the program's
/// own; the sender sends exactly as many bytes as were granted; both learn the end.
extension ClusterActorSystem {
    /// Lets `node` fill `places`, in their order. They belong to the transfer until its end: in failure too they may
    /// have been written to. Bytes count only after success.
    ///
    /// - Parameters:
    ///   - timeout: nil for the options' `bulkTimeout`.
    ///   - whenDone: called once, on the loop; must not block.
    /// - Throws: `BulkFailure` of reason `lost` without a connection, `overloaded` beyond the options' limits.
    public func grantBulk(
        from node: NodeID, into places: [BufferSlice], timeout: Instant.Span? = nil,
        whenDone: (@Sendable (Result<Void, BulkFailure>) -> Void)? = nil
    ) throws(BulkFailure) -> BulkGrant {
        try bulkExchange(with: node).grant(places, timeout: timeout ?? bulkTimeout, whenDone: whenDone)
    }

    /// Sends the bytes of `slices`, in their order, to the landing place that `node` has granted as `transfer`, or
    /// will. They must not change until the transfer's end.
    ///
    /// - Parameters:
    ///   - timeout: nil for the options' `bulkTimeout`.
    ///   - whenDone: called once, on the loop; must not block.
    /// - Throws: `BulkFailure` of reason `lost` without a connection, `refused` when that grant is over.
    public func startSendingBulk(
        _ slices: [BufferSlice], transfer: UInt64, to node: NodeID, timeout: Instant.Span? = nil,
        whenDone: (@Sendable (Result<Void, BulkFailure>) -> Void)? = nil
    ) throws(BulkFailure) -> BulkSending {
        try bulkExchange(with: node).send(
            slices, transfer: transfer, timeout: timeout ?? bulkTimeout, whenDone: whenDone)
    }

    /// The same, and waits for its end. Cancelling the task gives the transfer up.
    public func sendBulk(
        _ slices: [BufferSlice], transfer: UInt64, to node: NodeID, timeout: Instant.Span? = nil
    ) async throws {
        let sending = try startSendingBulk(slices, transfer: transfer, to: node, timeout: timeout)
        try await withTaskCancellationHandler {
            try await sending.landed()
        } onCancel: {
            sending.cancel()
        }
    }

    private func bulkExchange(with node: NodeID) throws(BulkFailure) -> BulkExchange {
        guard let peer = connectedPeer(node) else {
            throw BulkFailure(.lost, "there is no connection to \(node)")
        }
        return peer.bulk
    }
}
