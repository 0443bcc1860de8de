public import Vocabulary

/// Why two processes cannot talk, or no longer. `message` names the peer or the address, and the fix where there is
/// one.
public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// The port to listen on is taken.
        case addressInUse
        /// A host or port that is none.
        case invalidAddress
        /// An address outside this host, which must be allowed by name.
        case nonLoopback
        /// Nothing listens there.
        case refused
        /// The network does not get there.
        case unreachable
        /// No connection, or no handshake, within the time for it.
        case timedOut
        /// The other end does not admit us.
        case notAdmitted
        /// Another process answers than the one that was asked for.
        case wrongPeer
        /// A certificate that is not to be trusted: the other end's, or our own.
        case untrusted
        /// The other end broke the protocol.
        case protocolViolation
        /// There is no connection to the peer.
        case notConnected
        /// The connection to the peer went.
        case peerLost
        /// No reply within the call's deadline.
        case deadlineExceeded
        /// A method that is not in the table, or a table that cannot be.
        case invalidMethod
        /// A message that cannot be sent, or a reply that is not the message it should be.
        case invalidMessage
        /// No actor of this process has this object number.
        case unknownObject
        /// The system was shut down.
        case shutDown
        /// The operating system refused.
        case system
    }

    public let kind: Kind
    /// The peer it is about, where there is one.
    public let peer: NodeID?
    public let message: String

    public init(_ kind: Kind, _ message: String, peer: NodeID? = nil) {
        self.kind = kind
        self.message = message
        self.peer = peer
    }

    public var description: String { message }
}
