public import Vocabulary

/// Limits and times of a `ClusterActorSystem`.
public struct TransportOptions: Sendable {
    /// TLS for all lanes; nil for plain text.
    public var security: TransportSecurity?
    /// Without `security`: listen and connect beyond this host all the same (`--insecure`).
    public var allowsNonLoopback = false
    /// A lane on which nothing came for this long is pinged.
    public var pingInterval = Instant.Span.seconds(1)
    /// A peer is lost when nothing came on one of its lanes for this long.
    public var silenceMax = Instant.Span.seconds(5)
    /// A control or bulk lane that is lost alone is made again; a peer is lost when that does not succeed within this.
    public var laneRemakeTimeout = Instant.Span.seconds(5)
    /// From the beginning of `connect` to all lanes being up.
    public var connectTimeout = Instant.Span.seconds(5)
    /// From the acceptance of a connection to its hello, TLS included, and from the first lane's hello to the last
    /// one's.
    public var handshakeTimeout = Instant.Span.seconds(5)
    /// Of calls outside `withDeadline`.
    public var callDeadline = Instant.Span.seconds(30)
    /// Accepted connections that have not said a complete hello; and as many whose other lanes are not there yet.
    public var halfOpenCountMax = 64
    /// Of `halfOpenCountMax`, those from one address; in IPv6 from one network of 64 bits.
    public var halfOpenCountMaxPerAddress = 32
    /// A lane with this many bytes waiting takes no more: callers suspend. One frame may reach beyond it.
    public var queuedByteCountMax = 64 << 20
    /// With this many frames, or bytes, waiting for one actor, calls of that sender are refused as overloaded, and the
    /// lane on which its one-way messages come is not read until half of them are done.
    public var mailboxFrameCountMax = 8192
    public var mailboxByteCountMax = 256 << 20
    /// How fast bulk is sent to each peer.
    public var bulkPacing = BulkPacing.automatic
    /// Whether bulk transfers to each peer are compressed.
    public var bulkCompression = BulkCompression.automatic
    /// Bulk that a peer may send, granted and not yet there.
    public var bulkGrantCountMax = 1024
    public var bulkGrantByteCountMax = 16 << 30
    /// Of bulk transfers that are not given a time of their own, from the grant or the sending on.
    public var bulkTimeout = Instant.Span.seconds(60)
    /// Told in the handshake, for logs.
    public var programVersion = ""
    /// Where others reach this process; nil tells them the host it listens on.
    public var advertisedHost: String?

    package typealias Resolve = @Sendable (_ host: String, _ port: Int) throws(TransportError) -> [SocketAddress]
    /// Asks for the addresses of a name; may block.
    package var resolve: Resolve = { host, port throws(TransportError) in
        try SocketAddress.resolve(host: host, port: port)
    }

    public init() {}
}
