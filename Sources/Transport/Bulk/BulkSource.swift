/// What a lane sends when its queue runs low. Called by the thread that writes.
protocol BulkSource: AnyObject, Sendable {
    /// Appends a frame; false when there is nothing to send. Called under the queue's lock.
    func fill(_ bytes: inout OutboundBytes) -> Bool
    /// Of all bytes ever appended to the queue so many are written.
    func wrote(upTo count: UInt64)
}
