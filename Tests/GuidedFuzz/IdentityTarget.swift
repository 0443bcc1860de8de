import Identity
import Vocabulary

/// What says who somebody is: join tokens, PEM and DER. The first byte of an input says which.
///
/// Signatures take far longer than parsing: what makes or checks them is a target of its own.
struct IdentityTarget: Sendable {
    static let shared = IdentityTarget()

    private enum Kind: UInt8 { case token, certificate, certificates, request, bundle, chain }

    /// Of what only parses, and of what signs or verifies.
    static let parsing = 0..<3
    static let signing = 3..<6

    private let authority: CertificateAuthority
    private let chain: Certificates
    private let request: [UInt8]
    private let bundle: String
    private let name: NodeID

    private init() {
        do {
            guard let name = NodeID("node-1") else { fatalError("node-1 is no name") }
            let now = UnixTime.now
            let authority = try CertificateAuthority.create(cluster: "fuzz", now: now)
            let key = try PrivateKey.generate()
            request = try key.request(commonName: name.name)
            chain = try authority.issue(request: request, role: .node, name: name, lifetimeSeconds: 3600, now: now)
            bundle = CredentialsBundle.text(
                try Credentials(
                    certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem,
                    authoritiesPEM: authority.certificatePEM))
            self.name = name
            self.authority = authority
        } catch {
            fatalError("\(error)")
        }
    }

    /// Made anew for each run: certificates end, and keys in a repository look like secrets.
    func seeds(_ kinds: Range<Int>) throws -> [[UInt8]] {
        let text = JoinToken(authority: authority.fingerprint).text
        let all: [(Kind, [UInt8])] = [
            (.token, Array(text.utf8)), (.token, Array(" \(text)\n".utf8)), (.certificate, chain.ders[0]),
            (.certificate, chain.ders[1]), (.certificates, Array(try chain.pem().utf8)), (.request, request),
            (.bundle, Array(bundle.utf8)), (.chain, chain.ders[0]),
        ]
        return all.filter { kinds.contains(Int($0.0.rawValue)) }.map { [UInt8(Int($0.0.rawValue) - kinds.lowerBound)] + $0.1 }
    }

    func run(_ kinds: Range<Int>, _ input: UnsafeRawBufferPointer) {
        guard let first = input.first,
            let kind = Kind(rawValue: UInt8(kinds.lowerBound + Int(first) % kinds.count))
        else { return }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count - 1, alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: input.dropFirst()))
        do throws(IdentityError) {
            try parse(kind, UnsafeRawBufferPointer(copy))
        } catch {
            precondition(error.message.count > 10 && error.message.utf8.count < 4000, "an error says too little")
        }
    }

    private func parse(_ kind: Kind, _ bytes: UnsafeRawBufferPointer) throws(IdentityError) {
        let text = String(decoding: bytes, as: UTF8.self)
        switch kind {
        case .token:
            let token = try JoinToken(text)
            precondition((try? JoinToken(token.text)) == token, "a token changes when it is written down")
        case .certificate:
            let identity = try CertifiedIdentity(certificateDER: bytes)
            precondition((1...255).contains(identity.cluster.utf8.count) && identity.serial.utf8.count <= 40)
        case .request:
            let chain = try authority.issue(
                request: Array(bytes), role: .node, name: name, lifetimeSeconds: 60, now: UnixTime.now)
            precondition((try? chain.identity().name) == name, "a request gives itself a name")
        case .bundle:
            let credentials = try CredentialsBundle.parse(text, what: "bundle")
            precondition(credentials.identity.name == name, "a damaged certificate is trusted")
        case .certificates: _ = try Certificates(pem: text, what: "authority")
        case .chain:
            let chain = Certificates(ders: [Array(bytes)])
            try chain.verify(against: Certificates(pem: authority.certificatePEM, what: "authority"))
            precondition(chain.ders[0] == self.chain.ders[0], "a damaged certificate is trusted")
        }
    }
}
