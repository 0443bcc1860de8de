import Identity

/// What is known of the other end of a connection.
enum Authentication: Sendable {
    /// Plain text: nothing is proved.
    case none
    /// The TLS handshake is under way.
    case pending
    /// It has proved to be this one of our cluster.
    case certified(CertifiedIdentity)
    /// It asks for its first certificate, and has none to show.
    case enrolling
    /// It has shown no certificate that is good enough; why, in words for both ends.
    case refused(String)
}

extension Authentication {
    var identity: CertifiedIdentity? {
        guard case .certified(let identity) = self else { return nil }
        return identity
    }
}
