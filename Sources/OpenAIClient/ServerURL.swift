/// The base of an OpenAI-compatible server's URLs: `http://HOST[:PORT][/PREFIX][/v1]`.
public struct ServerURL: Hashable, Sendable, CustomStringConvertible {
    /// Without brackets.
    public let host: String
    public let port: Int
    /// What stands before `/v1`; empty, or begins with a slash and ends without one.
    public let prefix: String

    public init(_ text: String) throws(OpenAIError) {
        func failure(_ message: String) -> OpenAIError { OpenAIError(.badURL, url: text, message: message) }
        let lowercased = text.lowercased()
        guard !lowercased.hasPrefix("https://") else {
            throw failure("https is not supported; use http, or a proxy that speaks TLS to the server")
        }
        guard lowercased.hasPrefix("http://") else {
            throw failure("the URL must begin with http://, for example http://127.0.0.1:8080")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw failure("the URL has a space or a character that is not ASCII in it")
        }
        let rest = text.dropFirst(7)
        guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0 == "@" }) else {
            throw failure("a base URL has no query, fragment or user in it")
        }
        let authority = rest.prefix { $0 != "/" }
        (host, port) = try Self.split(authority, of: text)
        var path = String(rest.dropFirst(authority.count))
        while path.hasSuffix("/") { path.removeLast() }
        if path.hasSuffix("/v1") { path.removeLast(3) }
        while path.hasSuffix("/") { path.removeLast() }
        prefix = path
    }

    private static func split(_ authority: Substring, of text: String) throws(OpenAIError) -> (String, Int) {
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else {
                throw OpenAIError(.badURL, url: text, message: "the IPv6 address has no closing bracket")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else {
                throw OpenAIError(.badURL, url: text, message: "only a port may follow the IPv6 address")
            }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw OpenAIError(.badURL, url: text, message: "the URL has no host") }
        guard let portText else { return (String(host), 80) }
        guard portText.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(portText), (1...65535).contains(port)
        else { throw OpenAIError(.badURL, url: text, message: "the port must be a number from 1 to 65535") }
        return (String(host), port)
    }

    /// The value of a `Host` header, and what an error calls the server.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == 80 ? name : "\(name):\(port)"
    }

    public var description: String { "http://\(authority)\(prefix)" }

    /// The whole URL of `path`, which begins with a slash.
    func url(_ path: String) -> String { description + path }
}
