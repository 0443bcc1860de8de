/// Numbers for people: a fixed count of digits after the point.
public enum FixedPoint {
    /// `value` rounded to `fractionDigits` digits (0 to 9); "-" when it is not a number.
    public static func text(_ value: Double, fractionDigits: Int) -> String {
        guard !value.isNaN else { return "-" }
        let digits = min(max(fractionDigits, 0), 9)
        var scale: UInt64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * Double(scale)).rounded()
        guard scaled < 9e18 else { return value.description }
        let (whole, fraction) = UInt64(scaled).quotientAndRemainder(dividingBy: scale)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fractionText = String(fraction)
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - fractionText.count) + fractionText
    }
}
