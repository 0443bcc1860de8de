/// A moment of a trace: `2023-11-16 18:15:46.6805900`, or as of 2024 `2024-05-10 00:00:00.009930+00:00`. A `T` may
/// stand for the space; digits beyond nanoseconds are dropped; without an offset the time is UTC.
struct TraceTime: Hashable {
    /// Since 1970.
    private(set) var seconds: Int64
    /// Of the second.
    private(set) var nanoseconds: Int64

    /// Nil when `text` is no such moment.
    init?(_ text: some Collection<UInt8>) {
        var reader = DigitReader(rest: Array(text)[...])
        guard let year = reader.number(digitCount: 4), reader.take("-"),
            let month = reader.number(digitCount: 2), (1...12).contains(month), reader.take("-"),
            let day = reader.number(digitCount: 2), (1...Self.dayCount(year: year, month: month)).contains(day),
            reader.take(" ") || reader.take("T"),
            let hour = reader.number(digitCount: 2), hour < 24, reader.take(":"),
            let minute = reader.number(digitCount: 2), minute < 60, reader.take(":"),
            let second = reader.number(digitCount: 2), second < 60
        else { return nil }
        nanoseconds = 0
        if reader.take(".") {
            guard let fraction = reader.fractionNanoseconds() else { return nil }
            nanoseconds = fraction
        }
        guard let offset = reader.offsetSeconds(), reader.rest.isEmpty else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        seconds = Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
    }

    /// Nil when it is before `other`, or centuries after it.
    func nanoseconds(since other: TraceTime) -> UInt64? {
        let (product, overflow) = (seconds - other.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = product.addingReportingOverflow(nanoseconds - other.nanoseconds)
        return overflow || overflow2 ? nil : UInt64(exactly: sum)
    }

    private static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// From 1970-01-01, in the calendar of today. Years begin in March here: the leap day is a year's last.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// Takes digits and signs from the front of a text.
private struct DigitReader {
    var rest: ArraySlice<UInt8>

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(digitCount: Int) -> Int? {
        let digits = rest.prefix(digitCount)
        guard digits.count == digitCount, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        rest.removeFirst(digitCount)
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// At least one digit.
    mutating func fractionNanoseconds() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit = number(digitCount: 1) {
            if count < 9 { value = value * 10 + Int64(digit) }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 9)..<9 { value *= 10 }
        return value
    }

    /// Of `Z`, `+HH:MM` or `-HH:MM`; zero when there is none.
    mutating func offsetSeconds() -> Int? {
        if rest.isEmpty || take("Z") { return 0 }
        let sign = take("-") ? -1 : 1
        guard sign < 0 || take("+"), let hour = number(digitCount: 2), hour < 24, take(":"),
            let minute = number(digitCount: 2), minute < 60
        else { return nil }
        return sign * (hour * 3600 + minute * 60)
    }
}
