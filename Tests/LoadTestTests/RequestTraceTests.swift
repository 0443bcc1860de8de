import LoadTest
import Testing

@Suite struct RequestTraceTests {
    private func rows(_ text: String) throws -> [TraceRow] { try RequestTrace.rows(csv: Array(text.utf8)) }

    private func fault(_ text: String) -> TraceError? {
        do {
            _ = try RequestTrace.rows(csv: Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    private static let header = "TIMESTAMP,ContextTokens,GeneratedTokens"

    @Test func readsTheFormOf2023() throws {
        let text =
            "\(Self.header)\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n"
            + "2023-11-16 18:15:50.9951690,0,7"
        #expect(
            try rows(text) == [
                TraceRow(arrivalNanoseconds: 0, promptTokenCount: 374, outputTokenCount: 44),
                TraceRow(arrivalNanoseconds: 4_314_579_000, promptTokenCount: 396, outputTokenCount: 109),
                TraceRow(arrivalNanoseconds: 4_314_579_000, promptTokenCount: 0, outputTokenCount: 7),
            ])
    }

    @Test func readsTheFormOf2024AndOtherColumns() throws {
        let text =
            "\u{FEFF}id, GeneratedTokens ,timestamp,contexttokens\n\n1,5,2024-02-28 23:59:59.5+00:00,6\n"
            + "2,7,2024-02-29T01:30:00.25+01:30,8\n3,1,2024-03-01T00:00:00Z,1\n"
        #expect(try rows(text).map(\.arrivalNanoseconds) == [0, 750_000_000, 86_400_500_000_000])
        #expect(try rows(text).map(\.promptTokenCount) == [6, 8, 1])
        #expect(try rows(text).map(\.outputTokenCount) == [5, 7, 1])
    }

    @Test(arguments: [
        ("", 1, "empty"), ("TIMESTAMP,ContextTokens", 1, "GeneratedTokens"),
        ("2023-11-16 18:15:46,1,2", 1, "TIMESTAMP"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens,TIMESTAMP\n", 1, "twice"),
        ("H\n", 1, "no request"), ("H\n2023-11-16 18:15:46,1", 2, "2 fields"),
        ("H\n2023-11-16 18:15:46,1,2,3", 2, "4 fields"),
        ("H\n2023-11-16 18:15:46,1,2\n2023-11-16 18:15:45,1,2", 3, "sort the file"),
        ("H\n2023-11-16 18:15:46,-1,2", 2, "ContextTokens is '-1'"),
        ("H\n2023-11-16 18:15:46,1,1.5", 2, "GeneratedTokens is '1.5'"),
        ("H\n2023-11-16 18:15:46,1,", 2, "GeneratedTokens is ''"),
        ("H\n2023-11-16 18:15:46,10000001,2", 2, "from 0 to 10000000"),
        ("H\n2023-11-16 18:15:46,99999999999999999999,2", 2, "ContextTokens"),
        ("H\n2023-13-16 18:15:46,1,2", 2, "2023-13-16"), ("H\n2023-02-29 18:15:46,1,2", 2, "TIMESTAMP"),
        ("H\n2023-11-16 24:15:46,1,2", 2, "TIMESTAMP"), ("H\n2023-11-16 18:15:46.,1,2", 2, "TIMESTAMP"),
        ("H\n2023-11-16 18:15:46+1,1,2", 2, "TIMESTAMP"), ("H\n1700158546,1,2", 2, "TIMESTAMP"),
        ("H\n2023-11-16 18:15:46\u{0},1,2", 2, "46?"),
    ])
    func namesTheLineAtFault(text: String, line: Int, word: String) throws {
        let full = text.hasPrefix("H\n") ? Self.header + text.dropFirst() : text
        let found = try #require(fault(full))
        #expect(found.line == line || word == "no request", "\(found)")
        #expect(found.message.contains(word), "\(found)")
    }

    @Test func longLinesAndLongFieldsAreShortInMessages() throws {
        let longLine = try #require(fault(Self.header + "\n" + String(repeating: "x", count: 5000)))
        #expect(longLine.message.contains("longer than"))
        let longField = try #require(fault(Self.header + "\n" + String(repeating: "x", count: 500) + ",1,1"))
        #expect(longField.message.utf8.count < 150)
    }

    /// Damaged files are read or refused with a line that is there; nothing traps and nothing goes back in time.
    @Test func damagedFilesAreReadOrRefused() {
        var state: UInt64 = 5
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let valid = Array(
            "\(Self.header)\r\n2023-12-31 23:59:59.6805900,374,44\n2024-02-29T00:00:00Z,1,2\n9999-01-01 00:00:00,0,9\n"
                .utf8)
        let alphabet = Array("0123456789,-: .TZ+\n\r\"\u{FEFF}\u{0}é".utf8)
        var refusedCount = 0
        for _ in 0..<30_000 {
            var bytes = valid
            for _ in 0...next(3) {
                let place = next(bytes.count)
                switch next(4) {
                case 0: bytes[place] = alphabet[next(alphabet.count)]
                case 1: bytes[place] = UInt8(next(256))
                case 2: bytes.insert(contentsOf: (0...next(12)).map { _ in alphabet[next(alphabet.count)] }, at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + 1 + next(20)))
                }
                if bytes.isEmpty { break }
            }
            do {
                let rows = try RequestTrace.rows(csv: bytes)
                #expect(!rows.isEmpty)
                #expect(rows[0].arrivalNanoseconds == 0)
                #expect(zip(rows.dropFirst(), rows).allSatisfy { $0.arrivalNanoseconds >= $1.arrivalNanoseconds })
            } catch {
                refusedCount += 1
                #expect((1...6).contains(error.line) || bytes.count { $0 == 10 } > 3, "\(error)")
            }
        }
        #expect((1000..<30_000).contains(refusedCount))
    }
}
