/// What a node enrols with, as its text is handed from person to person: `sl1.<id>.<secret>.<fingerprint>`.
///
/// The fingerprint is the authority's: the node sends the secret to nobody else. The secret is used once (or as often
/// as its maker said) and expires. The text must be kept from others until then.
public struct JoinToken: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    static let scheme = "sl1"
    static let idDigitCount = 12
    /// 160 bits.
    static let secretDigitCount = 40

    /// 12 hexadecimal digits; no secret.
    public let id: String
    /// 40 hexadecimal digits.
    public let secret: String
    public let authority: AuthorityFingerprint

    /// A new one.
    public init(authority: AuthorityFingerprint) {
        id = Self.randomDigits(Self.idDigitCount)
        secret = Self.randomDigits(Self.secretDigitCount)
        self.authority = authority
    }

    /// Reads the text that `token create` prints. Blanks and line ends around it are passed over; the error says
    /// which part is wrong and never shows the secret.
    public init(_ text: some StringProtocol) throws(IdentityError) {
        var trimmed = Substring(text)
        while let last = trimmed.last, last.isWhitespace { trimmed.removeLast() }
        while let first = trimmed.first, first.isWhitespace { trimmed.removeFirst() }
        let parts = trimmed.split(separator: ".", omittingEmptySubsequences: false)
        guard let scheme = parts.first, scheme == Self.scheme else {
            throw Self.malformed("it does not begin with '\(Self.scheme).'")
        }
        guard parts.count == 4 else { throw Self.malformed("it has \(parts.count) parts instead of 4") }
        guard Self.isDigits(parts[1], Self.idDigitCount) else {
            throw Self.malformed("its id is not \(Self.idDigitCount) lowercase hexadecimal digits")
        }
        guard Self.isDigits(parts[2], Self.secretDigitCount) else {
            throw Self.malformed("its secret is not \(Self.secretDigitCount) lowercase hexadecimal digits")
        }
        guard Self.isDigits(parts[3], 2 * AuthorityFingerprint.byteCount),
            let authority = AuthorityFingerprint(parts[3])
        else {
            throw Self.malformed(
                "its fingerprint is not \(2 * AuthorityFingerprint.byteCount) lowercase hexadecimal digits")
        }
        id = String(parts[1])
        secret = String(parts[2])
        self.authority = authority
    }

    /// The whole token, secret included.
    public var text: String { "\(Self.scheme).\(id).\(secret).\(authority)" }

    /// Without the secret.
    public var description: String { "join token \(id)" }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }

    static func isDigits(_ text: some StringProtocol, _ count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func malformed(_ reason: String) -> IdentityError {
        IdentityError(.malformed, "this is no join token: \(reason); copy the whole line that `token create` printed")
    }

    private static func randomDigits(_ count: Int) -> String {
        // The system's generator is the kernel's.
        Hexadecimal.text((0..<count / 2).map { _ in UInt8.random(in: .min ... .max) })
    }
}
