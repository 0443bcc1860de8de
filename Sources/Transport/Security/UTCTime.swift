import Glibc

/// Points of time for people.
enum UTCTime {
    /// "2026-11-23 17:05:09 UTC".
    static func text(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "second \(seconds)" }
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map(twoDigits)
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { twoDigits(Int($0)) }
        return "\(date.joined(separator: "-")) \(clock.joined(separator: ":")) UTC"
    }

    static var now: Int64 { Int64(time(nil)) }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
