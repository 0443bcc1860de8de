import Foundation

/// The registry on disk, shared by the coordinator and the commands that run beside it: each change is made under a
/// lock to what is there now, and replaces the file as a whole.
public struct RegistryFile: Sendable {
    static let name = "registry"
    public let folder: PrivateFolder

    public init(folder: PrivateFolder) { self.folder = folder }

    /// Differs from what it was before whenever the file was changed.
    public struct Stamp: Hashable, Sendable {
        var inode: UInt64
        var byteCount: Int
        var seconds: Int
        var nanoseconds: Int
    }

    public var stamp: Stamp? { Self.stamp(of: folder.path(of: Self.name)) }

    /// Nil when there is no file.
    static func stamp(of path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            inode: UInt64(status.st_ino), byteCount: Int(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }

    // MARK: Reading and changing

    func load() throws(IdentityError) -> Registry {
        guard let bytes = try folder.read(Self.name) else { return Registry() }
        return try Self.parse(bytes, what: folder.path(of: Self.name))
    }

    /// What `body` makes of the registry is on disk when this returns; nothing is changed when it throws.
    func update<Result>(
        at now: Int64, _ body: (inout Registry) throws(IdentityError) -> Result
    ) throws(IdentityError) -> Result {
        let lock = try FileLock(path: folder.path(of: "registry.lock"), waits: true)
        defer { extendLifetime(lock) }
        var registry = try load()
        registry.forget(at: now)
        let result = try body(&registry)
        try folder.write(try Self.text(registry), to: Self.name)
        return result
    }

    /// JSON, and a line with its SHA-256: a flipped bit must not bring a revoked certificate back.
    static func text(_ registry: Registry) throws(IdentityError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let json = try? encoder.encode(registry) else {
            throw IdentityError(.storage, "the registry cannot be written as JSON")
        }
        return Array(json) + Array("\nsha256 \(Hexadecimal.text(try SHA256.digest(Array(json))))\n".utf8)
    }

    /// - Parameter what: names the file in errors.
    static func parse(_ bytes: [UInt8], what: String) throws(IdentityError) -> Registry {
        let sumByteCount = "\nsha256 \n".utf8.count + 64
        guard bytes.count > sumByteCount else { throw damaged(what, "it is cut short") }
        let json = Array(bytes.dropLast(sumByteCount))
        let sum = "\nsha256 \(Hexadecimal.text(try SHA256.digest(json)))\n"
        guard Array(sum.utf8) == Array(bytes.suffix(sumByteCount)) else {
            throw damaged(what, "its SHA-256 does not fit")
        }
        let registry: Registry
        do {
            registry = try JSONDecoder().decode(Registry.self, from: Data(json))
        } catch {
            throw damaged(what, "it is not the JSON that it should be")
        }
        guard registry.version == Registry.version else {
            throw IdentityError(
                .storage, "\(what) is of version \(registry.version); this program knows \(Registry.version)")
        }
        // A file with a checksum that fits was written on purpose, but numbers that overflow help nobody.
        guard registry.nextNumber < 1 << 62,
            registry.certificates.allSatisfy({ $0.serial.utf8.count <= 40 && Hexadecimal.bytes($0.serial) != nil })
        else { throw damaged(what, "a number in it cannot be") }
        return registry
    }

    private static func damaged(_ what: String, _ reason: String) -> IdentityError {
        IdentityError(
            .storage,
            "\(what) is damaged: \(reason). Put a copy of it back; or move it away, which forgets all join tokens and "
                + "revocations, and lets no node renew its certificate before it enrols again")
    }

    // MARK: What needs no authority

    public func tokens() throws(IdentityError) -> [TokenRecord] {
        try load().tokens.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }

    /// Throws when there is no token of this id.
    public func deleteToken(id: String, now: Int64 = UnixTime.now) throws(IdentityError) {
        try update(at: now) { registry throws(IdentityError) in
            guard let index = registry.tokens.firstIndex(where: { $0.id == id }) else {
                throw IdentityError(
                    .storage, "there is no join token '\(id.forPeople)': see `shardline token list`")
            }
            registry.tokens.remove(at: index)
        }
    }

    public func certificates() throws(IdentityError) -> [CertificateRecord] {
        try load().certificates.sorted { $0.number < $1.number }
    }

    public func revokedSerials(now: Int64 = UnixTime.now) throws(IdentityError) -> Set<String> {
        try load().revokedSerials(at: now)
    }

    /// Revokes the certificate of this serial number, or all of this name; gives them.
    ///
    /// - Parameter isForeign: `target` is the serial number of a certificate that another authority made.
    public func revoke(
        _ target: String, isForeign: Bool = false, now: Int64 = UnixTime.now
    ) throws(IdentityError) -> [CertificateRecord] {
        let serial = target.lowercased().replacing(":", with: "")
        return try update(at: now) { registry throws(IdentityError) in
            if isForeign {
                guard serial.utf8.count <= 40, !serial.isEmpty, Hexadecimal.bytes(serial) != nil else {
                    throw IdentityError(
                        .malformed, "'\(target.forPeople)' is no serial number: it takes 2 to 40 hexadecimal digits")
                }
                guard !registry.revokedSerials(at: now).contains(serial) else {
                    throw IdentityError(.storage, "the certificate \(serial) is revoked already")
                }
                return [try registry.revokeForeign(serial: serial, at: now)]
            }
            var revoked = try registry.revoke(at: now) { $0.serial == serial }
            if revoked.isEmpty { revoked = try registry.revoke(at: now) { $0.name == target } }
            guard !revoked.isEmpty else {
                throw IdentityError(
                    .storage,
                    "no valid certificate has the serial number or the name '\(target.forPeople)': see "
                        + "`shardline certificate list` (--foreign revokes one that another authority made)")
            }
            return revoked
        }
    }
}
