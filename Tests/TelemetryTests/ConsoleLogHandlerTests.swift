import Logging
import Synchronization
import Telemetry
import Testing

@Suite struct ConsoleLogHandlerTests {
    private final class Lines: Sendable {
        private let text = Mutex("")
        var all: String { text.withLock { $0 } }
        func append(_ line: String) { text.withLock { $0 += line } }
    }

    private func logger(_ lines: Lines, level: Logger.Level = .info, usesColour: Bool = false) -> Logger {
        Logger(label: "gateway") { label in
            ConsoleLogHandler(
                label: label, level: level, usesColour: usesColour, write: { lines.append($0) },
                now: { WallTime(millisecondsSince1970: 1_770_000_000_042) })
        }
    }

    @Test func writesOneLine() {
        let lines = Lines()
        var log = logger(lines)
        log[metadataKey: "node"] = "node-1"
        log.info("listening", metadata: ["port": "8080", "reason": "as asked"])
        #expect(
            lines.all
                == "2026-02-02T02:40:00.042Z INFO  gateway: listening node=node-1 port=8080 reason=\"as asked\"\n")
    }

    @Test func keepsToItsLevel() {
        let lines = Lines()
        var log = logger(lines, level: .warning)
        log.info("no")
        log.warning("yes")
        log.logLevel = .debug
        log.debug("now")
        #expect(lines.all.split(separator: "\n").map { $0.split(separator: " ").last } == ["yes", "now"])
    }

    @Test func controlCharactersCannotLeaveTheLine() {
        let lines = Lines()
        logger(lines).error(
            "a\nb\u{1B}[2Jc\td", metadata: ["k\r": "v\"\n\u{9B}x", "empty": "", "equal": "a=b"])
        #expect(lines.all.filter { $0 == "\n" }.count == 1)
        #expect(!lines.all.contains("\u{1B}"))
        #expect(lines.all.contains(#"a\nb\x1b[2Jc\td empty="" equal="a=b" k\r="v\"\n\x9bx""#), "\(lines.all)")
    }

    @Test func colourIsOnlyOnDemand() {
        let lines = Lines()
        logger(lines, usesColour: true).error("red")
        #expect(lines.all.contains("\u{1B}[31mERROR\u{1B}[0m"))
    }

    @Test func metadataIsAValue() {
        let lines = Lines()
        let first = logger(lines)
        var second = first
        second[metadataKey: "only"] = "second"
        second.logLevel = .error
        first.info("plain")
        #expect(!lines.all.contains("only"))
        #expect(first.logLevel == .info)
    }

    @Test func levelsHaveNames() {
        #expect(Telemetry.level(named: "INFO") == .info)
        #expect(Telemetry.level(named: "warn") == .warning)
        #expect(Telemetry.level(named: "loud") == nil)
        for name in Telemetry.levelNames { #expect(Telemetry.level(named: name) != nil) }
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_007, "2000-02-29T00:00:00.007Z"),
    ])
    func writesTimes(milliseconds: Int64, text: String) {
        #expect(WallTime(millisecondsSince1970: milliseconds).description == text)
    }
}
