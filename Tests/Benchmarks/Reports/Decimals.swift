import Foundation

/// Numbers as text.
enum Decimals {
    static func text(_ value: Double, _ places: Int) -> String {
        value.isFinite ? String(format: "%.\(places)f", value) : "-"
    }

    /// Three digits that matter: 0.123, 1.23, 12.3, 123, 1234.
    static func short(_ value: Double) -> String {
        switch abs(value) {
        case ..<1: text(value, 3)
        case ..<10: text(value, 2)
        case ..<100: text(value, 1)
        default: text(value, 0)
        }
    }

    static func percent(_ share: Double) -> String { "\(text(100 * share, 0)) %" }
}
