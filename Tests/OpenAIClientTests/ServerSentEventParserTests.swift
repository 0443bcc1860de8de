import OpenAIClient
import Testing

@Suite struct ServerSentEventParserTests {
    private func parse(_ text: String) throws -> [ServerSentEventParser.Event] {
        var parser = ServerSentEventParser()
        return try parser.append(text.utf8)
    }

    @Test func readsDataLines() throws {
        #expect(try parse("data: one\n\ndata:two\n\n").map(\.data) == ["one", "two"])
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func knowsAllLineEnds(end: String) throws {
        let text = ["data: a", "data: b", "", ": comment", "event: error", "data: c", "", ""].joined(separator: end)
        let events = try parse(text)
        #expect(events.map(\.data) == ["a\nb", "c"])
        #expect(events.map(\.name) == [nil, "error"])
    }

    @Test func ignoresCommentsIdsAndUnknownFields() throws {
        let text = ": ping\n\nid: 4\nretry: 10\nfoo: bar\nbaz\n\n:\n\ndata: x\nid: 5\n\n"
        #expect(try parse(text).map(\.data) == ["x"])
    }

    @Test func keepsAllButOneSpace() throws {
        #expect(try parse("data:  two spaces \n\ndata\n\ndata:\n\n").map(\.data) == [" two spaces ", "", ""])
    }

    @Test func skipsAByteOrderMarkAtTheStartOnly() throws {
        #expect(try parse("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n").map(\.data) == ["a"])
    }

    @Test func forgetsWhatIsIncomplete() throws {
        #expect(try parse("data: a\n\ndata: b\n").map(\.data) == ["a"])
    }

    @Test func anySplitGivesTheSame() throws {
        let text =
            "\u{FEFF}: hi\r\ndata: {\"a\": \"Grüße 🙂\"}\r\n\r\nevent: x\rdata: b\rdata: c\r\rdata: d\n\ndata: [DONE]\n\n"
        let bytes = Array(text.utf8)
        let whole = try parse(text)
        #expect(whole.count == 4)
        for seed in 0..<200 {
            var random = Random(state: UInt64(seed) &* 977 &+ 1)
            var parser = ServerSentEventParser()
            var events: [ServerSentEventParser.Event] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = min(rest.count, Int(random.next() % 5))
                events += try parser.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(events == whole)
        }
    }

    @Test func refusesEndlessLinesAndEvents() throws {
        var parser = ServerSentEventParser(byteCountMax: 100)
        #expect(throws: ServerSentEventParser.TooLong.self) {
            try parser.append([UInt8](repeating: 65, count: 101))
        }
        var other = ServerSentEventParser(byteCountMax: 100)
        #expect(throws: ServerSentEventParser.TooLong.self) {
            for _ in 0..<20 { _ = try other.append("data: 0123456789\n".utf8) }
        }
    }
}

/// A small linear congruential generator: tests are the same every time.
struct Random {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
