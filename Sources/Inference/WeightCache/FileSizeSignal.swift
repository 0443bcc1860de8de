import Glibc

/// A write beyond the process's limit for files (`ulimit -f`) ends the process unless its signal is held back; then the
/// write gives an error, as on a full disk.
enum FileSizeSignal {
    static func withheld<R, Failure: Error>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
        var signals = sigset_t()
        var earlier = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGXFSZ)
        guard pthread_sigmask(SIG_BLOCK, &signals, &earlier) == 0 else { return try body() }
        defer {
            // What came meanwhile went to this thread alone.
            var now = timespec()
            if sigismember(&earlier, SIGXFSZ) == 0 { while sigtimedwait(&signals, nil, &now) == SIGXFSZ {} }
            pthread_sigmask(SIG_SETMASK, &earlier, nil)
        }
        return try body()
    }
}
