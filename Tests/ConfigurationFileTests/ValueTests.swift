import ConfigurationFile
import Testing

@Suite struct ValueTests {
    @Test(
        arguments: [
            ("0", 0), ("4096", 4096), ("1b", 1), ("8GiB", 8 << 30), ("8 gib", 8 << 30), ("1.5KiB", 1536),
            ("2MB", 2_000_000),
            ("1TB", 1_000_000_000_000), ("0.5TiB", 1 << 39), ("9223372036854775807", UInt64(Int64.max)),
        ] as [(String, UInt64)])
    func readsSizes(text: String, byteCount: UInt64) {
        #expect(ByteSize.parse(text) == byteCount)
    }

    @Test(arguments: [
        "", "GiB", "-1", "1.5", "1.2.3GiB", ".5GiB", "5.GiB", "1e3", "0x10", "8G", "8 G iB", "9223372036854775808",
        "9999999999999TiB", "٣GiB", "8GiB8",
    ])
    func refusesOtherSizes(text: String) {
        #expect(ByteSize.parse(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"), (8 << 30, "8 GiB"),
        ] as [(UInt64, String)])
    func writesSizes(byteCount: UInt64, text: String) {
        #expect(ByteSize.text(byteCount) == text)
    }

    @Test(
        arguments: [
            ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("0s", 0), ("1h", 3600),
        ] as [(String, Int64)])
    func readsTimeSpans(text: String, seconds: Int64) { #expect(TimeSpanText.seconds(text) == seconds) }

    @Test(arguments: ["", "s", "24", "-1s", "1.5h", "1 h", "h1", "1H", "1w", "٣h", "99999999999999999999s", "1h30m"])
    func refusesOtherTimeSpans(text: String) { #expect(TimeSpanText.seconds(text) == nil) }

    @Test(
        arguments: [(90, "90s"), (1800, "30m"), (86_400, "1d"), (90_000, "25h"), (0, "0s")] as [(Int64, String)])
    func writesTimeSpans(seconds: Int64, text: String) { #expect(TimeSpanText.text(seconds) == text) }

    @Test(arguments: [("0", [0]), ("0-3,8", [0, 1, 2, 3, 8]), ("8, 0-1", [8, 0, 1]), ("4095", [4095])])
    func readsCPULists(text: String, cpus: [Int]) {
        #expect(CPUList.parse(text) == cpus)
    }

    @Test(arguments: ["", ",", "0,", "1-", "-1", "3-1", "0-1-2", "0,0", "0-2,1", "4096", "a", "0x1", "1 2", "0..3"])
    func refusesOtherCPULists(text: String) {
        #expect(CPUList.parse(text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("localhost", true), ("LOCALHOST", true), ("::1", true),
        ("127.0.0.1.evil.org", false), ("127.0.0", false), ("127.0.0.256", false), ("10.0.0.1", false),
        ("0.0.0.0", false), ("::", false), ("localhost.evil.org", false), ("", false),
    ])
    func knowsLoopback(host: String, isLoopback: Bool) {
        #expect(HostName.isLoopback(host) == isLoopback)
    }

    @Test(arguments: [
        ("a", true), ("node-1.example.org", true), ("10.0.0.1", true), ("fe80::1", true), ("::ffff:1.2.3.4", true),
        ("", false), ("a b", false), ("-a", false), ("a..b", false), ("1.2.3", false), ("g:1", false),
        ("host/path", false), ("[::1]", false),
    ])
    func knowsHostNames(host: String, isWellFormed: Bool) {
        #expect(HostName.isWellFormed(host) == isWellFormed)
    }
}
