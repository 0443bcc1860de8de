import Testing
import Vocabulary

@Suite struct NodeIDTests {
    @Test(arguments: ["a", "node-1", "rack.7_B", String(repeating: "x", count: 64)])
    func acceptsNamesThatNeedNoEscaping(name: String) {
        #expect(NodeID(name)?.name == name)
    }

    @Test(arguments: ["", "a b", "a/b", "näh", "a\n", String(repeating: "x", count: 65)])
    func refusesEverythingElse(name: String) {
        #expect(NodeID(name) == nil)
    }

    @Test func instantsNeverGoNegative() {
        let early = Instant(nanoseconds: 5)
        let late = Instant(nanoseconds: 9)
        #expect(late - early == Instant.Span(nanoseconds: 4))
        #expect(early - late == Instant.Span(nanoseconds: 0))
    }
}
