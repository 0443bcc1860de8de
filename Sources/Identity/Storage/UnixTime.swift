import Glibc

/// The wall clock in seconds since 1970, as certificates and tokens count.
public enum UnixTime {
    public static var now: Int64 { Int64(time(nil)) }

    /// `2026-11-23 14:05:09 UTC`; far ends are "never".
    public static func text(_ seconds: Int64) -> String {
        guard (0...253_402_300_799).contains(seconds) else { return "never" }
        var whole = time_t(seconds)
        var parts = tm()
        gmtime_r(&whole, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
    }
}
