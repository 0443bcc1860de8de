import Transport
import Wire

/// Who may call what: each distributed method says it in its first line. Under TLS the sender's name and role are
/// those of its certificate.
enum Caller {
    /// The sender of the message that is being handled. Throws `forbidden` unless it has one of `roles`.
    @discardableResult
    static func require(_ roles: PeerRole...) throws(RemoteFailure) -> PeerIdentity {
        guard let sender = ClusterActorSystem.sender, roles.contains(sender.role) else {
            let allowed = roles.map(\.rawValue).joined(separator: " or ")
            let role = ClusterActorSystem.sender?.role.rawValue ?? "stranger"
            throw RemoteFailure(
                code: RemoteFailure.Code.forbidden, message: "only a \(allowed) may call this, not a \(role)")
        }
        return sender
    }
}
