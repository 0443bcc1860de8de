/// A long prompt that arrives at a moment of the run, among the streams that run then: `4096@10s`.
public struct PromptInjection: Hashable, Sendable, CustomStringConvertible {
    public var promptTokenCount: Int
    public var momentNanoseconds: UInt64

    public init(promptTokenCount: Int, momentNanoseconds: UInt64) {
        self.promptTokenCount = promptTokenCount
        self.momentNanoseconds = momentNanoseconds
    }

    /// Nil when `text` is not TOKENS@TIME.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0]), (1...1_000_000).contains(count),
            let moment = LoadDuration(String(parts[1]))
        else { return nil }
        self.init(promptTokenCount: count, momentNanoseconds: moment.nanoseconds)
    }

    public var description: String {
        "\(promptTokenCount)@\(LoadDuration(nanoseconds: momentNanoseconds))"
    }
}
