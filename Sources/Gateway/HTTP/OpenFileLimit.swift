import Foundation

/// How many files and connections this process may have open at once.
enum OpenFileLimit {
    /// Raises the process's own limit to what it is allowed to have: each client takes a descriptor, and the limit that
    /// shells begin with, often 1,024, is there for programs that use `select`, which nothing here does.
    static func raise() {
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Refused, it stays as it was: then there are fewer connections, each of which is told so by the system.
        _ = setrlimit(resource, &limit)
    }
}
