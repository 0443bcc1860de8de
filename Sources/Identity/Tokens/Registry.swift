import Vocabulary

/// What the coordinator must not forget: tokens, certificates, revocations. A value; `AuthorityFolder` keeps it.
struct Registry: Codable, Hashable, Sendable {
    static let version = 1
    /// Records stay this long after their end, so that lists can show them.
    static let keptSeconds: Int64 = 7 * 86_400
    static let tokenCountMax = 10_000
    static let certificateCountMax = 100_000
    /// All of them go to nodes in one message.
    static let revokedCountMax = 4096

    var version = Self.version
    var nextNumber: UInt64 = 1
    var tokens: [TokenRecord] = []
    var certificates: [CertificateRecord] = []

    // MARK: Tokens

    /// Uses the token up by one. All reasons to refuse it look the same from outside.
    mutating func useToken(id: String, secret: String, node: NodeID, at now: Int64) throws(IdentityError) {
        let index = tokens.firstIndex { $0.id == id }
        // A secret is compared in any case: the time taken tells nobody which ids there are.
        let record = if let index { tokens[index] } else { try Self.nobody.get() }
        let isSecret = try record.isSecret(secret)
        guard let index, isSecret, !record.isExpired(at: now), record.usesLeft > 0 else {
            throw IdentityError(
                .tokenRefused,
                "the join token is wrong, used up, deleted or expired: make another with `shardline token create`")
        }
        guard record.node == nil || record.node == node.name else {
            throw IdentityError(.forbidden, "the join token is for another node than '\(node)'")
        }
        tokens[index].usesLeft -= 1
    }

    private static let nobody = Result { () throws(IdentityError) in
        try TokenRecord(
            JoinToken(authority: AuthorityFingerprint(certificateDER: [])), node: nil, createdAt: 0, expiresAt: 0,
            uses: 0)
    }

    // MARK: Certificates

    func validCertificates(of name: NodeID, at now: Int64) -> [CertificateRecord] {
        certificates.filter { $0.name == name.name && $0.isValid(at: now) }
    }

    mutating func add(
        _ identity: CertifiedIdentity, reason: CertificateRecord.Reason, at now: Int64
    ) throws(IdentityError) {
        guard certificates.count < Self.certificateCountMax else {
            throw IdentityError(.storage, "there are \(certificates.count) certificates already: too many to keep")
        }
        certificates.append(
            CertificateRecord(
                serial: identity.serial, role: identity.role.rawValue, name: identity.name.name, issuedAt: now,
                notAfter: identity.notAfter, reason: reason, number: takeNumber()))
    }

    /// Revokes all valid certificates that `isMeant` picks; gives them.
    mutating func revoke(
        at now: Int64, where isMeant: (CertificateRecord) -> Bool
    ) throws(IdentityError) -> [CertificateRecord] {
        var revoked: [CertificateRecord] = []
        for index in certificates.indices where certificates[index].isValid(at: now) && isMeant(certificates[index]) {
            certificates[index].revokedAt = now
            certificates[index].revokedNumber = takeNumber()
            revoked.append(certificates[index])
        }
        try requireRoom(at: now)
        return revoked
    }

    /// A certificate that was not made here: nobody knows its end, so it is kept for good.
    mutating func revokeForeign(serial: String, at now: Int64) throws(IdentityError) -> CertificateRecord {
        var record = CertificateRecord(
            serial: serial, role: "", name: "", issuedAt: now, notAfter: .max, reason: .foreign, number: takeNumber())
        record.revokedAt = now
        record.revokedNumber = record.number
        certificates.append(record)
        try requireRoom(at: now)
        return record
    }

    private func requireRoom(at now: Int64) throws(IdentityError) {
        let count = revokedSerials(at: now).count
        guard count <= Self.revokedCountMax else {
            throw IdentityError(
                .storage,
                "\(count) certificates would be revoked at once, more than \(Self.revokedCountMax): make a new "
                    + "authority instead")
        }
    }

    /// May the holder of a name get another certificate without a token? Not when its certificates have ended, and not
    /// when one of them was revoked since it enrolled: whoever has the others may be the one who was shut out.
    func requireRenewable(_ role: CertifiedRole, _ name: NodeID, at now: Int64) throws(IdentityError) {
        let own = certificates.filter { $0.name == name.name && $0.role == role.rawValue }
        let enrolled = own.filter { $0.reason == .enrolment }.map(\.number).max() ?? 0
        let revoked = own.compactMap(\.revokedNumber).max() ?? 0
        guard revoked <= enrolled, own.contains(where: { $0.isValid(at: now) }) else {
            throw IdentityError(
                .forbidden, "'\(name)' has no valid certificate to renew: enrol it again with a join token")
        }
    }

    /// Those that are revoked and have not ended.
    func revokedSerials(at now: Int64) -> Set<String> {
        Set(certificates.lazy.filter { $0.revokedAt != nil && now <= $0.notAfter }.map(\.serial))
    }

    /// Forgets what ended long ago. The last enrolment of a name is needed as long as anything of the name is kept,
    /// and it ends before its renewals do: names are forgotten as a whole.
    mutating func forget(at now: Int64) {
        let limit = now - Self.keptSeconds
        tokens.removeAll { $0.expiresAt < limit }
        let living = Set(certificates.lazy.filter { $0.notAfter >= limit }.map(\.name))
        let lastEnrolments = Dictionary(
            certificates.lazy.filter { $0.reason == .enrolment }.map { ($0.name, $0.number) },
            uniquingKeysWith: { max($0, $1) })
        certificates.removeAll { record in
            record.notAfter < limit
                && !(living.contains(record.name) && lastEnrolments[record.name] == record.number)
        }
    }

    private mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }
}
