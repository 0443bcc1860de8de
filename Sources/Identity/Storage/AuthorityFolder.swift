public import Vocabulary

/// A coordinator's data directory with the cluster's own authority in it.
public struct AuthorityFolder: Sendable {
    private static let authorityFile = "authority.pem"
    private static let ownFile = "coordinator.pem"
    private static let addressFile = "address"
    private static let lockFile = "coordinator.lock"

    public let folder: PrivateFolder
    public let authority: CertificateAuthority
    public let registry: RegistryFile

    /// Opens the folder of an authority, or makes both when `creates` is true.
    public init(path: String, creates: Bool, now: Int64 = UnixTime.now) throws(IdentityError) {
        folder = try PrivateFolder(path: path, creates: creates)
        registry = RegistryFile(folder: folder)
        // A damaged registry is found now, not when the first node comes.
        _ = try registry.load()
        if let found = try Self.load(folder) {
            authority = found
            return
        }
        guard creates else {
            throw IdentityError(
                .storage,
                "\(path) holds no authority: start the coordinator once, or say with --data-directory where its is")
        }
        let lock = try FileLock(path: folder.path(of: "registry.lock"), waits: true)
        defer { extendLifetime(lock) }
        if let found = try Self.load(folder) {
            authority = found
            return
        }
        // Without its authority a registry is that of certificates which nobody trusts any more.
        guard !folder.contains(RegistryFile.name) else {
            throw IdentityError(
                .storage,
                "\(folder.path(of: Self.authorityFile)) is gone, but other files of it are there: put it back, or move "
                    + "the whole folder away, make a new authority and enrol all nodes again")
        }
        let made = try CertificateAuthority.create(cluster: "shardline", now: now)
        try folder.write(Array((made.certificatePEM + made.key.pem).utf8), to: Self.authorityFile)
        authority = made
    }

    private static func load(_ folder: PrivateFolder) throws(IdentityError) -> CertificateAuthority? {
        guard let bytes = try folder.read(authorityFile, byteCountMax: 65_536) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        do {
            return try CertificateAuthority(certificatePEM: text, key: PrivateKey(pem: text))
        } catch {
            throw IdentityError(
                error.kind,
                "\(folder.path(of: authorityFile)) is damaged (\(error.message)): put a copy of it back; without it, "
                    + "move the whole folder away and enrol all nodes again")
        }
    }

    /// Where the coordinator of this folder listens, for commands on its host.
    public func storeAddress(_ address: String) throws(IdentityError) {
        try folder.write(Array("\(address)\n".utf8), to: Self.addressFile)
    }

    /// What `storeAddress` stored last; nil when nothing was, or when no coordinator uses the folder now.
    public var liveAddress: String? {
        guard let lock = try? FileLock(path: folder.path(of: Self.lockFile)) else {
            let bytes = try? folder.read(Self.addressFile, byteCountMax: 1024)
            return bytes.map { String(decoding: $0, as: UTF8.self).trimmingLineEnd }
        }
        extendLifetime(lock)
        return nil
    }

    /// For as long as a coordinator runs.
    public func lock() throws(IdentityError) -> FileLock { try Self.lock(folder) }

    public static func lock(_ folder: PrivateFolder) throws(IdentityError) -> FileLock {
        guard let lock = try FileLock(path: folder.path(of: lockFile)) else {
            throw IdentityError(
                .storage, "\(folder.path) is in use by another coordinator: give each one its own data directory")
        }
        return lock
    }

    // MARK: Tokens

    /// - Parameters:
    ///   - node: the only name it is good for; nil: any that is free.
    ///   - uses: how many nodes may enrol with it.
    public func createToken(
        node: NodeID?, lifetimeSeconds: Int64, uses: Int, now: Int64 = UnixTime.now
    ) throws(IdentityError) -> JoinToken {
        guard node != .coordinator else {
            throw IdentityError(.forbidden, "no node may be called 'coordinator'")
        }
        guard node == nil || uses == 1 else {
            throw IdentityError(.malformed, "a token for the node '\(node?.name ?? "")' is for one use")
        }
        let token = JoinToken(authority: authority.fingerprint)
        let record = try TokenRecord(token, node: node, createdAt: now, expiresAt: now + lifetimeSeconds, uses: uses)
        try registry.update(at: now) { registry throws(IdentityError) in
            guard registry.tokens.count < Registry.tokenCountMax else {
                throw IdentityError(.storage, "there are \(registry.tokens.count) join tokens: delete some first")
            }
            registry.tokens.append(record)
        }
        return token
    }

    /// A node's first certificate for a token's secret. All or nothing: a request that is refused leaves the token as
    /// it was.
    ///
    /// - Returns: the chain, the authority's certificate last.
    public func enrol(
        tokenID: String, secret: String, request: [UInt8], node: NodeID, lifetimeSeconds: Int64,
        now: Int64 = UnixTime.now
    ) throws(IdentityError) -> Certificates {
        try registry.update(at: now) { registry throws(IdentityError) in
            let isNamed = registry.tokens.contains { $0.id == tokenID && $0.node == node.name }
            try registry.useToken(id: tokenID, secret: secret, node: node, at: now)
            try requireName(node, .node, in: registry, mayBeTaken: isNamed, now)
            // Who enrols anew under a name takes it over: the lost disk's certificate is of no more use.
            _ = try registry.revoke(at: now) { $0.name == node.name }
            return try issue(request, .node, node, lifetimeSeconds, .enrolment, in: &registry, now)
        }
    }

    /// A certificate in place of one that is about to end, for a node that has just shown it.
    public func renew(
        node: NodeID, request: [UInt8], lifetimeSeconds: Int64, now: Int64 = UnixTime.now
    ) throws(IdentityError) -> Certificates {
        try registry.update(at: now) { registry throws(IdentityError) in
            try registry.requireRenewable(.node, node, at: now)
            return try issue(request, .node, node, lifetimeSeconds, .renewal, in: &registry, now)
        }
    }

    // MARK: Credentials made here

    /// A key and a certificate without a token, by somebody who may read this folder.
    public func createCredentials(
        role: CertifiedRole, name: NodeID, lifetimeSeconds: Int64, now: Int64 = UnixTime.now
    ) throws(IdentityError) -> Credentials {
        let key = try PrivateKey.generate()
        let request = try key.request(commonName: name.name)
        let (chain, revoked) = try registry.update(at: now) { registry throws(IdentityError) in
            // The coordinator gets its next one while it has the last.
            try requireName(name, role, in: registry, mayBeTaken: role == .coordinator, now)
            let chain = try issue(request, role, name, lifetimeSeconds, .enrolment, in: &registry, now)
            return (chain, registry.revokedSerials(at: now))
        }
        return try Credentials(
            certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem, authoritiesPEM: authority.certificatePEM,
            revokedSerials: revoked)
    }

    /// As `createCredentials`, for an operator's command on the coordinator's own host: they hold some minutes and are
    /// not listed.
    public func temporaryOperatorCredentials(name: NodeID, now: Int64 = UnixTime.now) throws(IdentityError)
        -> Credentials
    {
        let key = try PrivateKey.generate()
        let chain = try authority.issue(
            request: try key.request(commonName: name.name), role: .operator, name: name, lifetimeSeconds: 600, now: now
        )
        return try Credentials(
            certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem, authoritiesPEM: authority.certificatePEM)
    }

    /// What the coordinator shows: the stored certificate while it has more than a third of its life, else a new one.
    public func coordinatorCredentials(
        lifetimeSeconds: Int64, now: Int64 = UnixTime.now
    ) throws(IdentityError) -> Credentials {
        let revoked = try registry.revokedSerials(now: now)
        if let stored = try folder.read(Self.ownFile),
            // A damaged file is no loss: another one is made.
            let credentials = try? CredentialsBundle.parse(
                String(decoding: stored, as: UTF8.self), what: Self.ownFile, revokedSerials: revoked),
            credentials.identity.role == .coordinator, credentials.authoritiesPEM.contains(authority.certificatePEM),
            credentials.identity.notAfter - now > lifetimeSeconds / 3,
            credentials.identity.notAfter - now <= lifetimeSeconds
        {
            return credentials
        }
        let made = try createCredentials(
            role: .coordinator, name: .coordinator, lifetimeSeconds: lifetimeSeconds, now: now)
        try folder.write(Array(CredentialsBundle.text(made).utf8), to: Self.ownFile)
        return made
    }

    // MARK: Helpers

    /// A name is one process's: peers are told apart by it, whatever their roles.
    private func requireName(
        _ name: NodeID, _ role: CertifiedRole, in registry: Registry, mayBeTaken: Bool, _ now: Int64
    ) throws(IdentityError) {
        guard (name == .coordinator) == (role == .coordinator) else {
            throw IdentityError(.forbidden, "'\(name)' is not the name of a \(role.rawValue): choose another")
        }
        let holders = registry.validCertificates(of: name, at: now)
        guard let holder = holders.first(where: { $0.role != role.rawValue || !mayBeTaken }) else { return }
        let fix =
            role == .node && holder.role == role.rawValue
            ? "revoke its certificate, or make a token for it by name (`shardline token create --node \(name)`)"
            : "revoke its certificate (`shardline certificate revoke \(name)`) or choose another name"
        throw IdentityError(
            .forbidden, "the name '\(name)' belongs to a \(holder.role) with a valid certificate: \(fix)")
    }

    private func issue(
        _ request: [UInt8], _ role: CertifiedRole, _ name: NodeID, _ lifetimeSeconds: Int64,
        _ reason: CertificateRecord.Reason, in registry: inout Registry, _ now: Int64
    ) throws(IdentityError) -> Certificates {
        let chain = try authority.issue(
            request: request, role: role, name: name, lifetimeSeconds: lifetimeSeconds, now: now)
        try registry.add(try chain.identity(), reason: reason, at: now)
        return chain
    }
}

extension String {
    fileprivate var trimmingLineEnd: String { hasSuffix("\n") ? String(dropLast()) : self }
}
