/// Prometheus' text exposition format 0.0.4.
enum PrometheusText {
    static func text(of families: [String: MetricsRegistry.Family]) -> String {
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            if !family.help.isEmpty { text += "# HELP \(name) \(escapedHelp(family.help))\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                append(series, name: name, labels: labels, to: &text)
            }
        }
        return text
    }

    private static func append(
        _ series: MetricsRegistry.Series, name: String, labels: String, to text: inout String
    ) {
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        switch series {
        case .counter(let counter): text += "\(name)\(braces) \(number(counter.value))\n"
        case .gauge(let gauge): text += "\(name)\(braces) \(number(gauge.value))\n"
        case .histogram(let histogram):
            let snapshot = histogram.snapshot
            let separator = labels.isEmpty ? "" : ","
            var cumulative: UInt64 = 0
            for (bound, count) in zip(histogram.bounds, snapshot.counts) {
                cumulative += count
                text += "\(name)_bucket{\(labels)\(separator)le=\"\(number(bound))\"} \(cumulative)\n"
            }
            text += "\(name)_bucket{\(labels)\(separator)le=\"+Inf\"} \(snapshot.count)\n"
            text += "\(name)_sum\(braces) \(number(snapshot.sum))\n"
            text += "\(name)_count\(braces) \(snapshot.count)\n"
        }
    }

    static func metricName(_ name: String, prefix: String) -> String {
        let cleaned = identifier(name, allowsColon: true)
        return cleaned.hasPrefix(prefix) ? cleaned : prefix + cleaned
    }

    /// What stands between the braces: labels in the order of their names, each name once (the last one holds).
    static func labelText(_ labels: [(String, String)]) -> String {
        var values: [String: String] = [:]
        for (name, value) in labels { values[identifier(name, allowsColon: false)] = value }
        return values.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(escapedLabel($0.value))\"" }
            .joined(separator: ",")
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
        return value.description
    }

    private static func identifier(_ name: String, allowsColon: Bool) -> String {
        var result = ""
        for byte in name.utf8 {
            let isLetter = (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            if isDigit, result.isEmpty { result.append("_") }
            let isAllowed = isLetter || isDigit || (allowsColon && byte == UInt8(ascii: ":"))
            result.append(isAllowed ? Character(Unicode.Scalar(byte)) : "_")
        }
        return result.isEmpty ? "_" : result
    }

    private static func escapedLabel(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func escapedHelp(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
