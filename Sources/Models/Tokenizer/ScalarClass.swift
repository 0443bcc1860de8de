/// What the splitting rules ask of a character.
enum ScalarClass {
    /// Unicode general category L.
    case letter
    /// Unicode general category N: Nd, Nl and No.
    case number
    /// Carriage return or line feed.
    case newline
    /// Unicode White_Space, other than `newline`.
    case space
    case other

    var isWhitespace: Bool { self == .newline || self == .space }

    init(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x0A, 0x0D: self = .newline
        case 0x09, 0x0B, 0x0C, 0x20: self = .space
        case 0x30...0x39: self = .number
        case 0x41...0x5A, 0x61...0x7A: self = .letter
        case 0..<0x80: self = .other
        default: self.init(properties: scalar.properties)
        }
    }

    private init(properties: Unicode.Scalar.Properties) {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = properties.isWhitespace ? .space : .other
        }
    }
}
