import Dispatch
import Foundation
import Synchronization

/// SIGTERM and SIGINT: the first asks to stop, the second ends the process at once.
final class StopSignals: Sendable {
    private let sources = Mutex<[any DispatchSourceSignal]>([])

    /// - Parameter ignoresInterrupt: leave SIGINT to the parent, which gets the terminal's Ctrl-C as well.
    init(ignoresInterrupt: Bool, stop: @escaping @Sendable () -> Void) {
        let count = SignalCount()
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            if number == SIGINT, ignoresInterrupt { continue }
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                if count.next() > 1 { _exit(1) }
                stop()
            }
            source.resume()
            sources.withLock { $0.append(source) }
        }
    }

    func cancel() { sources.withLock { $0.forEach { $0.cancel() } } }
}

private final class SignalCount: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
