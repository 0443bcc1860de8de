import Foundation

/// What was asked of a figure, and whether it holds.
struct Requirement {
    enum Limit {
        case atMost(Double)
        case atLeast(Double)
    }

    let what: String
    let figure: Double
    let limit: Limit
    var unit = ""

    var holds: Bool {
        switch limit {
        case .atMost(let limit): figure <= limit
        case .atLeast(let limit): figure >= limit
        }
    }

    var text: String {
        let (word, limit) =
            switch self.limit {
            case .atMost(let limit): ("at most", limit)
            case .atLeast(let limit): ("at least", limit)
            }
        let ratio = limit == 0 ? "" : String(format: ", %.2f of the limit", figure / limit)
        return String(
            format: "- %@: %.2f%@; asked %@ %.2f%@%@: %@", what, figure, unit, word, limit, unit, ratio,
            holds ? "holds" : "falls short")
    }

    /// A list under a heading; empty of none.
    static func text(_ requirements: [Requirement]) -> String {
        requirements.isEmpty ? "" : (["Asked", ""] + requirements.map(\.text)).joined(separator: "\n") + "\n"
    }
}
