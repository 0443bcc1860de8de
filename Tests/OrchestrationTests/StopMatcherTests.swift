import ClusterSimulation
import Orchestration
import Testing

@Suite struct StopMatcherTests {
    private func run(_ stops: [String], _ chunks: [String]) -> (text: String, match: String?) {
        var matcher = StopMatcher(stops)
        var text: [UInt8] = []
        for chunk in chunks {
            let outcome = matcher.append(Array(chunk.utf8))
            text += outcome.released
            if let match = outcome.match {
                return (String(decoding: text, as: UTF8.self), String(decoding: match, as: UTF8.self))
            }
        }
        return (String(decoding: text + matcher.finish(), as: UTF8.self), nil)
    }

    @Test func findsAcrossTokens() {
        #expect(run(["END"], ["one E", "N", "D two"]) == ("one ", "END"))
        #expect(run(["END"], ["one E", "N", "E"]) == ("one ENE", nil))
    }

    @Test func firstCompletedWinsAndLongestOfThose() {
        #expect(run(["abcd", "bc"], ["abcd"]) == ("a", "bc"))
        #expect(run(["bc", "abc"], ["xabc"]) == ("x", "abc"))
    }

    @Test func overlapsItself() {
        #expect(run(["aab"], ["aaab"]) == ("a", "aab"))
        #expect(run(["abab|"], ["ababab|"]) == ("ab", "abab|"))
    }

    @Test func emptyStopsMatchNothing() {
        #expect(run(["", ""], ["text"]) == ("text", nil))
    }

    @Test func holdsBackOnlyWhatMayBecomeAMatch() {
        var matcher = StopMatcher(["stop", "op!"])
        #expect(matcher.append(Array("a sto".utf8)).released == Array("a ".utf8))
        #expect(matcher.append(Array("x".utf8)).released == Array("stox".utf8))
        #expect(matcher.append(Array("st".utf8)).released == [])
        // "op!" may begin inside of what "stop" had begun.
        let outcome = matcher.append(Array("o".utf8))
        #expect(outcome.released == [] && outcome.match == nil)
    }

    @Test func cutsInsideCharacters() {
        var matcher = StopMatcher(["\u{E9}!"])
        let bytes = Array("caf\u{E9}!".utf8)
        var released: [UInt8] = []
        var match: [UInt8]?
        for byte in bytes where match == nil {
            let outcome = matcher.append([byte])
            released += outcome.released
            match = outcome.match
        }
        #expect(released == Array("caf".utf8))
        #expect(match == Array("\u{E9}!".utf8))
    }

    /// Against a plain search, over every text of four letters' worth of randomness and every way to cut it.
    @Test func agreesWithAPlainSearch() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<3000 {
            let stops = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (0..<Int.random(in: 1...4, using: &random)).map { _ in "ab".randomElement(using: &random) ?? "a" }
            }.map { String($0) }
            let text = Array((0..<20).map { _ in UInt8.random(in: 97...98, using: &random) })
            var expected: (before: [UInt8], match: [UInt8]?) = (text, nil)
            search: for end in 1...text.count {
                for stop in stops.map({ Array($0.utf8) }).sorted(by: { $0.count > $1.count })
                where text[..<end].suffix(stop.count).elementsEqual(stop) {
                    expected = (Array(text[..<(end - stop.count)]), stop)
                    break search
                }
            }
            var matcher = StopMatcher(stops)
            var released: [UInt8] = []
            var match: [UInt8]?
            var rest = text[...]
            while !rest.isEmpty, match == nil {
                let count = min(rest.count, Int.random(in: 0...5, using: &random))
                let outcome = matcher.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
                released += outcome.released
                match = outcome.match
            }
            if match == nil { released += matcher.finish() }
            #expect(released == expected.before && match == expected.match)
        }
    }
}
