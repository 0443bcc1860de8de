import Models
import Vocabulary

/// A generation's text as it grows: bytes of tokens in, whole characters up to the first stop string out.
struct OutputText: Sendable {
    private var matcher: StopMatcher
    private var assembler = UTF8Assembler()
    private let includesStopString: Bool

    init(stopStrings: [String], includesStopString: Bool) {
        matcher = StopMatcher(stopStrings)
        self.includesStopString = includesStopString
    }

    /// - Parameter mayStop: false while the shortest output is not reached: such bytes take no part in matching.
    ///   Once true it stays true.
    mutating func append(_ bytes: [UInt8], mayStop: Bool) -> (text: String, isStopped: Bool) {
        guard mayStop else { return (assembler.append(bytes), false) }
        let outcome = matcher.append(bytes)
        var text = assembler.append(outcome.released)
        guard let match = outcome.match else { return (text, false) }
        if includesStopString { text += assembler.append(match) }
        return (text, true)
    }

    /// What was held back, when the generation ends.
    mutating func finish() -> String {
        let text = assembler.append(matcher.finish())
        return text + assembler.finish()
    }
}
