import Dispatch
import Foundation
import Synchronization

/// SIGTERM and SIGINT: the first asks to stop, the second ends the process at once with status 1.
public enum StopSignals {
    /// For the rest of the process's life.
    ///
    /// - Parameter ignoresInterrupt: leave SIGINT to the parent, which gets the terminal's Ctrl-C as well.
    public static func watch(ignoresInterrupt: Bool = false, stop: @escaping @Sendable () -> Void) {
        let count = SignalCount()
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            if number == SIGINT, ignoresInterrupt { continue }
            // Not on the main queue, which waits while the program runs.
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if count.next() > 1 { _exit(1) }
                stop()
            }
            source.resume()
            // Never let go: a source that is gone hears nothing.
            _ = Unmanaged.passRetained(source as AnyObject)
        }
    }
}

private final class SignalCount: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
