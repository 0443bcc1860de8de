/// `host:port`, or `[v6 address]:port`, as a flag gives it.
public struct HostAndPort: Hashable, Sendable {
    public var host: String
    /// 1 to 65535.
    public var port: Int

    /// Nil when `text` is neither.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        // A bare v6 address would lose its last group to the port; brackets hold an address.
        guard isBracketed || !host.contains(where: { ":[]".contains($0) }) else { return nil }
        self.host = String(isBracketed ? host.dropFirst().dropLast() : host)
        self.port = port
    }
}
