import Foundation
import Identity
import Synchronization
import Testing
import Vocabulary

@Suite struct AuthorityFolderTests {
    private let parent: TestFolder
    private let path: String
    private let folder: AuthorityFolder

    init() throws {
        parent = try TestFolder()
        path = parent.path("deep/coordinator")
        folder = try AuthorityFolder(path: path, creates: true)
    }

    private func enrol(_ token: JoinToken, as name: String = "a", now: Int64 = UnixTime.now) throws -> Certificates {
        try folder.enrol(
            tokenID: token.id, secret: token.secret, request: try Sample.request(), node: try Sample.name(name),
            lifetimeSeconds: 3600, now: now)
    }

    private func token(
        node: String? = nil, uses: Int = 1, lifetimeSeconds: Int64 = 60, now: Int64 = UnixTime.now
    ) throws -> JoinToken {
        try folder.createToken(
            node: try node.map { try Sample.name($0) }, lifetimeSeconds: lifetimeSeconds, uses: uses, now: now)
    }

    // MARK: Files

    @Test func filesAreTheOwnersAlone() throws {
        _ = try token()
        _ = try folder.coordinatorCredentials(lifetimeSeconds: 3600)
        #expect(try parent.mode(of: "deep/coordinator") == 0o700)
        let files = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(Set(files).isSuperset(of: ["authority.pem", "registry", "coordinator.pem"]))
        for file in files { #expect(try parent.mode(of: "deep/coordinator/\(file)") == 0o600) }
        #expect(!files.contains { $0.hasSuffix(".tmp") })
    }

    @Test func openAgainGivesTheSameAuthority() throws {
        let again = try AuthorityFolder(path: path, creates: false)
        #expect(again.authority.fingerprint == folder.authority.fingerprint)
        let own = try folder.coordinatorCredentials(lifetimeSeconds: 3600)
        #expect(try again.coordinatorCredentials(lifetimeSeconds: 3600) == own)
        // Another one in time.
        let later = UnixTime.now + 2500
        #expect(try again.coordinatorCredentials(lifetimeSeconds: 3600, now: later) != own)
    }

    @Test func whatOthersMayUseIsRefused() throws {
        try parent.setMode(0o750, of: "deep/coordinator")
        Sample.expect(.storage, "chmod 700", path) { _ = try AuthorityFolder(path: path, creates: true) }
        try parent.setMode(0o700, of: "deep/coordinator")
        try parent.setMode(0o640, of: "deep/coordinator/authority.pem")
        Sample.expect(.storage, "chmod 600", "authority.pem") { _ = try AuthorityFolder(path: path, creates: true) }
    }

    @Test func aFolderWithoutAnAuthorityIsNamed() throws {
        Sample.expect(.storage, "cannot be opened") {
            _ = try AuthorityFolder(path: parent.path("absent"), creates: false)
        }
        Sample.expect(.storage, "no authority", "--data-directory") {
            _ = try AuthorityFolder(path: parent.path, creates: false)
        }
    }

    @Test func twoCoordinatorsAreRefused() throws {
        let lock = try folder.lock()
        Sample.expect(.storage, "another coordinator", path) { _ = try folder.lock() }
        // Commands may work beside it.
        _ = try token()
        withExtendedLifetime(lock) {}
    }

    @Test func aLostAuthorityIsNotReplaced() throws {
        _ = try token()
        try FileManager.default.removeItem(atPath: path + "/authority.pem")
        Sample.expect(.storage, "authority.pem", "put it back") { _ = try AuthorityFolder(path: path, creates: true) }
        #expect(!FileManager.default.fileExists(atPath: path + "/authority.pem"))
    }

    @Test(arguments: ["authority.pem", "registry"])
    func aDamagedFileIsNamedAndKept(name: String) throws {
        _ = try token()
        let file = URL(fileURLWithPath: "\(path)/\(name)")
        let whole = try Data(contentsOf: file)
        for index in stride(from: 0, to: whole.count, by: 7) {
            var damaged = whole
            damaged[index] ^= 0x20
            try damaged.write(to: file)
            try parent.setMode(0o600, of: "deep/coordinator/\(name)")
            do {
                let opened = try AuthorityFolder(path: path, creates: true)
                // A change of blanks or of words around the PEM is none of its meaning.
                #expect(name == "authority.pem" && opened.authority.fingerprint == folder.authority.fingerprint)
            } catch {
                #expect(error.message.contains(name) && error.message.contains("copy"), "\(error)")
            }
            #expect(try Data(contentsOf: file) == damaged)
        }
        for count in [0, 1, 50, whole.count - 2] {
            try whole.prefix(count).write(to: file)
            try parent.setMode(0o600, of: "deep/coordinator/\(name)")
            #expect(throws: IdentityError.self) { _ = try AuthorityFolder(path: path, creates: true) }
        }
        try whole.write(to: file)
        try parent.setMode(0o600, of: "deep/coordinator/\(name)")
        #expect(try AuthorityFolder(path: path, creates: true).registry.tokens().count == 1)
    }

    /// What a crash leaves between writing and renaming is in nobody's way.
    @Test func aHalfWrittenFileIsPassedOver() throws {
        _ = try token()
        try Data("half".utf8).write(to: URL(fileURLWithPath: path + "/registry.tmp"))
        _ = try token()
        #expect(try folder.registry.tokens().count == 2)
    }

    // MARK: Tokens

    @Test func theRegistryHoldsNoSecret() throws {
        let token = try token()
        let text = try parent.text("deep/coordinator/registry")
        #expect(text.contains(token.id) && !text.contains(token.secret))
    }

    @Test func aTokenIsUsedOnce() throws {
        let token = try token()
        let identity = try enrol(token).identity()
        #expect(identity.uri == "spiffe://shardline/node/a")
        Sample.expect(.tokenRefused, "used up") { _ = try enrol(token, as: "b") }
        #expect(try folder.registry.certificates().map(\.serial) == [identity.serial])
    }

    @Test func aTokenOfSeveralUses() throws {
        let token = try token(uses: 3)
        for name in ["a", "b", "c"] { _ = try enrol(token, as: name) }
        Sample.expect(.tokenRefused) { _ = try enrol(token, as: "d") }
    }

    @Test func allReasonsToRefuseATokenLookTheSame() throws {
        let (used, expired, deleted) = (
            try token(), try token(lifetimeSeconds: 60, now: UnixTime.now - 60), try token()
        )
        _ = try enrol(used)
        try folder.registry.deleteToken(id: deleted.id)
        let other = JoinToken(authority: folder.authority.fingerprint)
        let good = try token()
        var messages: Set<String> = []
        for (id, secret) in [
            (used.id, used.secret), (expired.id, expired.secret), (deleted.id, deleted.secret),
            (other.id, other.secret), (good.id, other.secret), ("", ""), (good.id, ""), (good.id, good.secret + "0"),
            (good.id, good.secret.uppercased() + " "),
        ] {
            do {
                _ = try folder.enrol(
                    tokenID: id, secret: secret, request: try Sample.request(), node: try Sample.name("z"),
                    lifetimeSeconds: 60)
                Issue.record("taken")
            } catch let error as IdentityError {
                #expect(error.kind == .tokenRefused)
                messages.insert(error.message)
            }
        }
        #expect(messages.count == 1)
        // None of it used up the good one.
        _ = try enrol(good, as: "z")
    }

    /// A token is good to the last second and not a second longer.
    @Test func theEndOfAToken() throws {
        let now = UnixTime.now
        let (one, two) = (try token(now: now), try token(now: now))
        Sample.expect(.tokenRefused) { _ = try enrol(one, now: now + 60) }
        _ = try enrol(two, as: "b", now: now + 59)
    }

    @Test func aBadRequestDoesNotUseTheTokenUp() throws {
        let token = try token()
        Sample.expect(.malformed, "request") {
            _ = try folder.enrol(
                tokenID: token.id, secret: token.secret, request: [1, 2, 3], node: try Sample.name("a"),
                lifetimeSeconds: 60)
        }
        _ = try enrol(token)
    }

    @Test func namesBelongToTheirHolders() throws {
        _ = try enrol(try token())
        Sample.expect(.forbidden, "'a'", "token create --node a") { _ = try enrol(try token()) }
        Sample.expect(.forbidden, "coordinator") { _ = try enrol(try token(), as: "coordinator") }
        Sample.expect(.forbidden, "another node") { _ = try enrol(try token(node: "b")) }
        _ = try folder.createCredentials(role: .operator, name: try Sample.name("alice"), lifetimeSeconds: 60)
        Sample.expect(.forbidden, "operator") { _ = try enrol(try token(), as: "alice") }
        // Not even a token by name takes a name over that is another role's.
        Sample.expect(.forbidden, "operator") { _ = try enrol(try token(node: "alice"), as: "alice") }
        Sample.expect(.forbidden, "node") {
            _ = try folder.createCredentials(role: .operator, name: try Sample.name("a"), lifetimeSeconds: 60)
        }
        Sample.expect(.forbidden) { _ = try token(node: "coordinator") }
        Sample.expect(.malformed, "one use") { _ = try token(node: "a", uses: 2) }
    }

    /// A host whose disk is lost enrols anew with a token made for it; what its old certificate was is revoked.
    @Test func aTokenByNameTakesTheNameOver() throws {
        let old = try enrol(try token()).identity()
        let new = try enrol(try token(node: "a")).identity()
        #expect(try folder.registry.revokedSerials() == [old.serial])
        let renewed = try folder.renew(node: new.name, request: try Sample.request(), lifetimeSeconds: 60)
        #expect(try renewed.identity().serial != new.serial)
    }

    /// The file lock keeps uses apart, whichever process or thread they come from.
    @Test func concurrentUsesGiveExactlyOneCertificate() async throws {
        let token = try token()
        let path = path
        let requests = try (0..<16).map { _ in try Sample.request() }
        let won = await withTaskGroup(of: Bool.self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask {
                    guard let folder = try? AuthorityFolder(path: path, creates: false),
                        let name = NodeID("node-\(index)")
                    else { return false }
                    let chain = try? folder.enrol(
                        tokenID: token.id, secret: token.secret, request: request, node: name, lifetimeSeconds: 60)
                    return chain != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(won == 1)
        #expect(try folder.registry.certificates().count == 1)
        #expect(try folder.registry.tokens().first?.usesLeft == 0)
    }

    // MARK: Renewal and revocation

    @Test func renewalNeedsAValidCertificate() throws {
        let name = try Sample.name("a")
        Sample.expect(.forbidden, "enrol") {
            _ = try folder.renew(node: name, request: try Sample.request(), lifetimeSeconds: 60)
        }
        let now = UnixTime.now
        _ = try enrol(try token(), now: now)
        let renewed = try folder.renew(
            node: name, request: try Sample.request(), lifetimeSeconds: 7200, now: now + 2400)
        #expect(try renewed.identity().notAfter == now + 9600)
        _ = try folder.renew(node: name, request: try Sample.request(), lifetimeSeconds: 60, now: now + 9600)
        Sample.expect(.forbidden, "enrol") {
            _ = try folder.renew(node: name, request: try Sample.request(), lifetimeSeconds: 60, now: now + 9661)
        }
    }

    /// An operator's certificate is not renewed as a node's.
    @Test func anotherRoleIsNotRenewed() throws {
        let name = try Sample.name("alice")
        _ = try folder.createCredentials(role: .operator, name: name, lifetimeSeconds: 60)
        Sample.expect(.forbidden) {
            _ = try folder.renew(node: name, request: try Sample.request(), lifetimeSeconds: 60)
        }
    }

    @Test func revocationBySerialNameAndForeign() throws {
        let one = try enrol(try token()).identity()
        let two = try folder.renew(node: one.name, request: try Sample.request(), lifetimeSeconds: 60).identity()
        let stamp = folder.registry.stamp
        let upper = two.serial.uppercased()
        #expect(try folder.registry.revoke(upper).map(\.serial) == [two.serial])
        #expect(folder.registry.stamp != stamp)
        // The other certificate of the name is not renewed after that: who has it may be the one who was shut out.
        Sample.expect(.forbidden, "enrol") {
            _ = try folder.renew(node: one.name, request: try Sample.request(), lifetimeSeconds: 60)
        }
        #expect(try folder.registry.revoke("a").map(\.serial) == [one.serial])
        #expect(try folder.registry.revokedSerials() == [one.serial, two.serial])
        Sample.expect(.storage, "no valid certificate", "'a'") { _ = try folder.registry.revoke("a") }
        Sample.expect(.storage, "--foreign") { _ = try folder.registry.revoke("0badc0de") }
        _ = try folder.registry.revoke("0B:AD", isForeign: true)
        #expect(try folder.registry.revokedSerials().contains("0bad"))
        Sample.expect(.malformed) { _ = try folder.registry.revoke("xyz", isForeign: true) }
        Sample.expect(.storage, "already") { _ = try folder.registry.revoke("0bad", isForeign: true) }
        // It enrols again with a token, as a new node does.
        _ = try enrol(try token())
        _ = try folder.renew(node: one.name, request: try Sample.request(), lifetimeSeconds: 60)
    }

    @Test func whatEndedLongAgoIsForgotten() throws {
        let now = UnixTime.now
        let first = try enrol(try token(now: now), now: now).identity()
        _ = try folder.registry.revoke(first.serial, now: now)
        #expect(try folder.registry.revokedSerials(now: now + 3600) == [first.serial])
        #expect(try folder.registry.revokedSerials(now: now + 3601) == [])
        let later = now + 3600 + 8 * 86_400
        _ = try token(now: later)
        #expect(try folder.registry.certificates().isEmpty && folder.registry.tokens().count == 1)
    }

    /// Renewed for weeks, a node still has the enrolment that it started from.
    @Test func aLongLifeIsRenewedWithoutEnd() throws {
        var now = UnixTime.now
        let name = try enrol(try token(), now: now).identity().name
        for _ in 0..<400 {
            now += 2400
            _ = try folder.renew(node: name, request: try Sample.request(), lifetimeSeconds: 3600, now: now)
        }
        #expect(try folder.registry.certificates().count < 300)
        _ = try folder.registry.revoke("a", now: now)
        Sample.expect(.forbidden) {
            _ = try folder.renew(node: name, request: try Sample.request(), lifetimeSeconds: 60, now: now)
        }
    }
}
