public import Wire

/// Decides who gets a first certificate: the coordinator's part.
public protocol EnrolmentHandler: Sendable {
    /// - Parameters:
    ///   - request: from somebody who has proved nothing but that the bytes came unchanged.
    ///   - address: where it comes from, for logs.
    /// - Throws: what the other end is told.
    func enrol(_ request: Enrol, from address: String) async throws(RemoteFailure) -> Enrolled
}
