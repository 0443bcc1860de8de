import Foundation

/// How many connections this process may have: each takes a file descriptor.
public struct DescriptorLimit: Hashable, Sendable {
    /// Files, pipes, the event loops.
    public static let reservedCount = 64
    /// A client has about 28,000 ports for connections to one server.
    public static let connectionCountMax = 20_000

    public var softLimit: Int
    public var hardLimit: Int

    public init(softLimit: Int, hardLimit: Int) {
        self.softLimit = softLimit
        self.hardLimit = hardLimit
    }

    /// Of this process, after its own limit is raised to what it is allowed to.
    public static func raised() -> DescriptorLimit {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return DescriptorLimit(softLimit: 256, hardLimit: 256) }
        let hard = limit.rlim_max
        if limit.rlim_cur < hard {
            let wanted = min(hard, rlim_t(connectionCountMax + reservedCount))
            if limit.rlim_cur < wanted {
                limit.rlim_cur = wanted
                setrlimit(resource, &limit)
                getrlimit(resource, &limit)
            }
        }
        return DescriptorLimit(softLimit: Int(clamping: limit.rlim_cur), hardLimit: Int(clamping: hard))
    }

    /// At least one.
    public var availableConnectionCount: Int { max(1, min(softLimit - Self.reservedCount, Self.connectionCountMax)) }

    /// Why `connectionCount` connections cannot be had, and what to do; nil when they can.
    public func refusal(connectionCount: Int, flag: String) -> String? {
        guard connectionCount > Self.connectionCountMax || connectionCount > softLimit - Self.reservedCount else {
            return nil
        }
        guard connectionCount <= Self.connectionCountMax else {
            return "\(connectionCount) connections to one server are more than one client has ports for; "
                + "\(flag) may be at most \(Self.connectionCountMax)"
        }
        let needed = connectionCount + Self.reservedCount
        return "\(connectionCount) connections need \(needed) file descriptors, but this process may have "
            + "\(softLimit): run 'ulimit -n \(needed)' first, or lower \(flag)"
    }

    #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif
}
