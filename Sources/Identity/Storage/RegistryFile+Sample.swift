import Vocabulary

/// For tests and fuzzing.
extension RegistryFile {
    /// A registry with something of everything, as it lies on disk.
    package static func sample(now: Int64) throws(IdentityError) -> [UInt8] {
        var registry = Registry()
        let authority = try CertificateAuthority.create(cluster: "sample", now: now)
        for name in ["node-1", "node-2"] {
            guard let name = NodeID(name) else { continue }
            let token = JoinToken(authority: authority.fingerprint)
            registry.tokens.append(
                try TokenRecord(token, node: name, createdAt: now, expiresAt: now + 60, uses: 1))
            let chain = try authority.issue(
                request: try PrivateKey.generate().request(commonName: name.name), role: .node, name: name,
                lifetimeSeconds: 60, now: now)
            try registry.add(try chain.identity(), reason: .enrolment, at: now)
        }
        _ = try registry.revoke(at: now) { $0.name == "node-2" }
        return try text(registry)
    }

    /// Reads the bytes of a registry and looks up everything in it.
    ///
    /// - Parameter resealed: puts a checksum that fits in the place of the last one, as somebody who means harm would.
    package static func check(_ bytes: [UInt8], resealed: Bool) throws(IdentityError) {
        var bytes = bytes
        let sealByteCount = "\nsha256 \n".utf8.count + 64
        if resealed, bytes.count > sealByteCount {
            let json = Array(bytes.dropLast(sealByteCount))
            bytes = json + Array("\nsha256 \(Hexadecimal.text(try SHA256.digest(json)))\n".utf8)
        }
        var registry = try parse(bytes, what: "the registry")
        let now = UnixTime.now
        registry.forget(at: now)
        _ = registry.revokedSerials(at: now)
        _ = try registry.revoke(at: now) { $0.name == "node-1" }
        for record in registry.certificates {
            if let name = NodeID(record.name) { _ = try? registry.requireRenewable(.node, name, at: now) }
        }
        if let name = NodeID("node-1") {
            for record in registry.tokens {
                try? registry.useToken(id: record.id, secret: "", node: name, at: now)
            }
        }
    }
}
