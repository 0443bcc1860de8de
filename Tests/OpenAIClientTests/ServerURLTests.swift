import OpenAIClient
import Testing

@Suite struct ServerURLTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, ""),
        ("http://localhost", "localhost", 80, ""),
        ("HTTP://host:1/", "host", 1, ""),
        ("http://host:8000/v1", "host", 8000, ""),
        ("http://host:8000/v1/", "host", 8000, ""),
        ("http://host/models/a/v1", "host", 80, "/models/a"),
        ("http://[::1]:8080/v1", "::1", 8080, ""),
    ])
    func readsGoodOnes(text: String, host: String, port: Int, prefix: String) throws {
        let url = try ServerURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.prefix == prefix)
    }

    @Test(arguments: [
        ("https://host", "https is not supported"),
        ("host:8080", "must begin with http://"),
        ("", "must begin with http://"),
        ("http://", "has no host"),
        ("http://:80", "has no host"),
        ("http://host:0", "port must be"),
        ("http://host:65536", "port must be"),
        ("http://host:x", "port must be"),
        ("http://host:", "port must be"),
        ("http://[::1", "closing bracket"),
        ("http://[::1]x", "only a port"),
        ("http://host/a b", "space"),
        ("http://host/\r\nX: y", "space"),
        ("http://user@host", "no query, fragment or user"),
        ("http://host?x=1", "no query"),
    ])
    func refusesBadOnes(text: String, part: String) {
        let error = #expect(throws: OpenAIError.self) { try ServerURL(text) }
        #expect(error?.kind == .badURL)
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }
}
