import Identity
import Testing

@Suite struct JoinTokenTests {
    private let token: JoinToken

    init() throws { token = JoinToken(authority: try Sample.authority().fingerprint) }

    @Test func theTextIsReadBack() throws {
        #expect(try JoinToken(token.text) == token)
        #expect(try JoinToken("\n \(token.text)\r\n") == token)
        #expect(token.secret.count == 40 && token.text.count == 122)
    }

    @Test func tokensDiffer() {
        let all = (0..<1000).map { _ in JoinToken(authority: token.authority) }
        #expect(Set(all.map(\.id)).count == 1000 && Set(all.map(\.secret)).count == 1000)
    }

    /// Any other text is refused with a reason, and the reason does not give the secret away.
    @Test func anyChangeIsNoticed() throws {
        let characters = Array(token.text)
        var random = SystemRandomNumberGenerator()
        for index in characters.indices {
            for replacement in ["g", "A", ".", " ", "\u{0}", "é", ""] {
                let changed = String(characters[..<index]) + replacement + String(characters[(index + 1)...])
                guard changed.trimmingBlanks != token.text else { continue }
                refuse(changed)
            }
            refuse(String(characters[..<index]))
        }
        for _ in 0..<2000 {
            let count = Int.random(in: 0..<200, using: &random)
            refuse(String(decoding: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, as: UTF8.self))
        }
    }

    private func refuse(_ text: String) {
        do {
            _ = try JoinToken(text)
            Issue.record("taken: \(text)")
        } catch {
            #expect(error.kind == .malformed && error.message.contains("no join token"))
            #expect(!error.message.contains(token.secret))
        }
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        var text = Substring(self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        return String(text)
    }
}
