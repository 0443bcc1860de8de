import ConfigurationFile
import Testing

@Suite struct HostAndPortTests {
    @Test(arguments: [
        ("localhost:7400", "localhost", 7400), ("10.0.0.1:1", "10.0.0.1", 1), ("[::1]:65535", "::1", 65_535),
    ])
    func takesHostsAndAddresses(text: String, host: String, port: Int) {
        #expect(HostAndPort(text)?.host == host)
        #expect(HostAndPort(text)?.port == port)
    }

    @Test(arguments: ["", ":", "a", "a:", ":80", "a:0", "a:65536", "a:-1", "a:8o", "::1", "fe80::1:80", "[]:80"])
    func refusesTheRest(text: String) {
        #expect(HostAndPort(text) == nil)
    }
}
