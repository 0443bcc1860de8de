import Glibc

/// Names the case when the process dies in it, or when it takes too long.
enum CaseWatch {
    private static let secondsMax: UInt32 = 60

    // Written by the one thread that runs the cases, and read by signal handlers in that same thread.
    nonisolated(unsafe) private static var line: UnsafeMutablePointer<CChar>?
    private static let lineByteCount = 160

    static func install() {
        line = .allocate(capacity: lineByteCount)
        line?.initialize(repeating: 0, count: lineByteCount)
        // A Swift trap is SIGILL or SIGTRAP; a sanitizer's report ends in SIGABRT (abort_on_error=1). The sanitizer
        // keeps SIGSEGV and SIGBUS, which it reports itself.
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGALRM] {
            signal(number) { number in
                // Only what a signal handler may call.
                if let line = CaseWatch.line { _ = write(2, line, strlen(line)) }
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    static func begin(_ index: Int, seed: UInt64) {
        let text =
            "shardline-fuzz: died or hung in this case; repeat it with --seed \(seed) --first \(index) --count 1\n"
        text.withCString { if let line { _ = strncpy(line, $0, lineByteCount - 1) } }
        alarm(secondsMax)
    }

    static func end() { alarm(0) }
}
