/// What happens to the connections of this process. For each peer `connected` and `lost` alternate.
public enum PeerEvent: Hashable, Sendable {
    /// All lanes are up. `host` and `listenPort` say where the peer can be reached; port 0 when it does not listen.
    case connected(PeerIdentity, host: String, listenPort: Int)
    /// All lanes are gone. Nothing that the peer has sent is handed to an actor after this.
    case lost(PeerIdentity, reason: String)
}
