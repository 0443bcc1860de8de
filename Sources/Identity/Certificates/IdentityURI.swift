import Vocabulary

/// `spiffe://<cluster>/<role>/<name>` and its parts.
struct IdentityURI: Hashable {
    static let scheme = "spiffe://"

    let cluster: String
    let role: CertifiedRole
    let name: NodeID

    init(cluster: String, role: CertifiedRole, name: NodeID) {
        self.cluster = cluster
        self.role = role
        self.name = name
    }

    /// Nil unless `text` is exactly of this form: there is one way to write an identity, so that two that look
    /// different are different.
    init?(_ text: String) {
        guard text.hasPrefix(Self.scheme) else { return nil }
        let parts = text.dropFirst(Self.scheme.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, Self.isCluster(parts[0]), let role = CertifiedRole(rawValue: String(parts[1])),
            let name = NodeID(String(parts[2]))
        else { return nil }
        self.init(cluster: String(parts[0]), role: role, name: name)
    }

    /// The cluster of `spiffe://<cluster>`, an authority's URI.
    static func cluster(_ text: String) -> String? {
        let cluster = text.dropFirst(scheme.count)
        return text.hasPrefix(scheme) && isCluster(cluster) ? String(cluster) : nil
    }

    var text: String { "spiffe://\(cluster)/\(role.rawValue)/\(name)" }

    /// 1 to 255 characters out of `a-z 0-9 . - _`.
    static func isCluster(_ text: some StringProtocol) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

extension String {
    /// A text from outside for a message: printable ASCII, not long.
    var forPeople: String {
        let shown = unicodeScalars.prefix(120).map { (" "..."~").contains($0) ? String($0) : "?" }.joined()
        return unicodeScalars.count > 120 ? shown + "..." : shown
    }
}
