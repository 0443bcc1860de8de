import Identity
import Vocabulary

/// What says who somebody is: certificates and requests in DER, credentials and tokens as text, and the files of a data
/// directory. Each is made well, then damaged.
struct IdentityFuzz: FuzzSubject {
    private enum Kind: CaseIterable { case certificate, request, bundle, token, chain, registry }

    private let authority: CertificateAuthority
    private let certificate: [UInt8]
    private let request: [UInt8]
    private let bundle: [UInt8]
    private let token: [UInt8]
    private let registry: [UInt8]
    private let name: NodeID

    init(corpusPath: String?) throws {
        guard corpusPath == nil else { throw FuzzFailure("identity makes its own corpus: leave --corpus out") }
        guard let name = NodeID("node-1") else { throw FuzzFailure("node-1 is no name") }
        self.name = name
        let now = UnixTime.now
        authority = try CertificateAuthority.create(cluster: "fuzz", now: now)
        let key = try PrivateKey.generate()
        request = try key.request(commonName: name.name)
        let chain = try authority.issue(request: request, role: .node, name: name, lifetimeSeconds: 3600, now: now)
        certificate = chain.ders[0]
        bundle = Array(
            CredentialsBundle.text(
                try Credentials(
                    certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem,
                    authoritiesPEM: authority.certificatePEM)
            ).utf8)
        token = Array(JoinToken(authority: authority.fingerprint).text.utf8)
        registry = try RegistryFile.sample(now: now)
    }

    mutating func run(_ random: inout FuzzRandom) throws -> Bool {
        let kind = Kind.allCases[random.below(Kind.allCases.count)]
        do throws(IdentityError) {
            switch kind {
            case .certificate:
                let identity = try damaged(certificate, &random).withCopy { bytes throws(IdentityError) in
                    try CertifiedIdentity(certificateDER: bytes)
                }
                precondition((1...255).contains(identity.cluster.utf8.count) && identity.serial.utf8.count <= 40)
            case .request:
                let chain = try authority.issue(
                    request: damaged(request, &random), role: .node, name: name, lifetimeSeconds: 60,
                    now: UnixTime.now)
                precondition(try! chain.identity().name == name)
            case .bundle:
                let credentials = try CredentialsBundle.parse(text(damaged(bundle, &random)), what: "bundle")
                // Only what a trusted authority has signed is credentials: damage around it is all that passes.
                precondition(credentials.identity.name == name)
            case .token: _ = try JoinToken(text(damaged(token, &random)))
            case .chain:
                let chain = Certificates(ders: [damaged(certificate, &random)])
                try chain.verify(against: Certificates(pem: authority.certificatePEM, what: "authority"))
                precondition(chain.ders[0] == certificate, "a damaged certificate is trusted")
            case .registry: try RegistryFile.check(damaged(registry, &random), resealed: !random.once(in: 4))
            }
            return true
        } catch {
            guard error.message.count > 10, error.message.utf8.count < 2000 else {
                throw FuzzFailure("an error says too little or too much: \(error.message.prefix(200))")
            }
            return false
        }
    }

    private func damaged(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
        var bytes = bytes
        if !random.once(in: 16) { ByteMutator.mutate(&bytes, headByteCount: bytes.count, &random) }
        return bytes
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension [UInt8] {
    /// A copy of its own for each use: the sanitizer sees a byte read beyond the end.
    fileprivate func withCopy<Result>(
        _ body: (UnsafeRawBufferPointer) throws(IdentityError) -> Result
    ) throws(IdentityError) -> Result {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: self)
        return try body(UnsafeRawBufferPointer(copy))
    }
}
