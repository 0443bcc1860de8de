import Wire

/// Why a bulk transfer did not arrive, as both ends learn it. The landing place holds anything then.
public struct BulkFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: String, Hashable, Sendable {
        /// The connection, or its bulk lane, went.
        case lost
        /// One of the two ends gave it up.
        case cancelled
        /// It was not done within its time.
        case timedOut
        /// There is no such grant (any more), or nothing to send for it.
        case refused
        /// The sender has another number of bytes than was granted.
        case wrongLength
        /// Too much is granted already.
        case overloaded
    }

    public let reason: Reason
    public let message: String

    public init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    public var description: String { message }

    /// As the other end is told.
    var asRemote: RemoteFailure {
        switch reason {
        case .cancelled: RemoteFailure(code: RemoteFailure.Code.cancelled, message: message)
        case .overloaded: RemoteFailure(code: RemoteFailure.Code.overloaded, message: message)
        case .lost, .timedOut, .refused, .wrongLength: RemoteFailure(code: reason.rawValue, message: message)
        }
    }

    /// As the other end has told it.
    init(_ remote: RemoteFailure) {
        self.init(Reason(rawValue: remote.code) ?? .refused, "the other end: \(remote.message)")
    }
}
