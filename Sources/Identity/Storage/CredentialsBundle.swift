/// Credentials in one text, so that they can be replaced in one step: the certificate chain, the private key, the
/// authorities, each in PEM. What stands before and between is for people and passed over.
public enum CredentialsBundle {
    public static func text(_ credentials: Credentials) -> String {
        """
        # \(credentials.identity). Keep this file from others: it holds a private key.
        \(credentials.certificateChainPEM)\(credentials.privateKeyPEM)\
        # The authorities that are trusted:
        \(credentials.authoritiesPEM)
        """
    }

    /// - Parameter what: names the text in errors, such as its file.
    public static func parse(
        _ text: String, what: String, revokedSerials: Set<String> = []
    ) throws(IdentityError) -> Credentials {
        guard let (start, end) = keyLines(text) else {
            throw IdentityError(
                .malformed,
                "\(what) is damaged: it must hold certificates, one private key, and the authorities, in this order")
        }
        do {
            return try Credentials(
                certificateChainPEM: String(text[..<start]), privateKeyPEM: String(text[start..<end]),
                authoritiesPEM: String(text[end...]), revokedSerials: revokedSerials)
        } catch {
            throw IdentityError(error.kind, "\(what): \(error.message)")
        }
    }

    /// From the line that begins the one private key to behind the line that ends it.
    private static func keyLines(_ text: String) -> (String.Index, String.Index)? {
        var start: String.Index?
        var end: String.Index?
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            if line.hasPrefix("-----BEGIN "), line.hasSuffix("PRIVATE KEY-----") {
                guard start == nil else { return nil }
                start = line.startIndex
            } else if line.hasPrefix("-----END "), line.hasSuffix("PRIVATE KEY-----") {
                guard start != nil, end == nil else { return nil }
                end = line.endIndex
            }
        }
        guard let start, let end else { return nil }
        return (start, end)
    }
}
