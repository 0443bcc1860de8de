import Logging

/// The text of one log message. Control characters are escaped: a message is always one line, and what came
/// from outside cannot steer the reader's terminal.
struct LogLine {
    let time: WallTime
    let level: Logger.Level
    let label: String
    let message: String
    let metadata: Logger.Metadata

    func text(usesColour: Bool) -> String {
        let grey = usesColour ? "\u{1B}[2m" : ""
        let levelColour = usesColour ? Self.colour(of: level) : ""
        let reset = usesColour ? "\u{1B}[0m" : ""
        var text = "\(grey)\(time)\(reset) \(levelColour)\(Self.name(of: level))\(reset) "
        text += "\(grey)\(Self.escaped(label)):\(reset) \(Self.escaped(message))"
        for key in metadata.keys.sorted() {
            guard let value = metadata[key] else { continue }
            text += " \(grey)\(Self.escaped(key))=\(reset)\(Self.quoted(value.description))"
        }
        return text + "\n"
    }

    /// Five characters wide, so that messages line up.
    private static func name(of level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO "
        case .notice: "NOTE "
        case .warning: "WARN "
        case .error: "ERROR"
        case .critical: "CRIT "
        }
    }

    private static func colour(of level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "\u{1B}[36m"
        case .info, .notice: "\u{1B}[32m"
        case .warning: "\u{1B}[33m"
        case .error, .critical: "\u{1B}[31m"
        }
    }

    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isControl(scalar): result += "\\x" + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// As it is when it is one word, else in quotes.
    private static func quoted(_ text: String) -> String {
        let needsQuotes = text.isEmpty || text.unicodeScalars.contains { $0 == " " || $0 == "\"" || $0 == "=" }
        guard needsQuotes else { return escaped(text) }
        var result = ""
        for character in escaped(text) {
            if character == "\"" { result += "\\" }
            result.append(character)
        }
        return "\"\(result)\""
    }

    /// C0, delete, C1, and the line and paragraph separators.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028
            || scalar.value == 0x2029
    }
}
