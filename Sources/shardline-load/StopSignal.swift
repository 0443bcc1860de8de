import Dispatch
import Foundation
import Synchronization

/// The first SIGINT or SIGTERM asks to stop; the second has the kernel's own effect. Works while it is held.
final class StopSignal {
    final class Flag: Sendable {
        fileprivate let isSet = Atomic<Bool>(false)
        var wasRaised: Bool { isSet.load(ordering: .relaxed) }
    }

    let flag = Flag()
    private var sources: [any DispatchSourceSignal] = []

    init(onFirst: @escaping @Sendable () -> Void) {
        let numbers = [SIGINT, SIGTERM]
        for number in numbers {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [flag] in
                for number in numbers { signal(number, SIG_DFL) }
                if !flag.isSet.exchange(true, ordering: .relaxed) { onFirst() }
            }
            source.activate()
            sources.append(source)
        }
    }

    deinit { for source in sources { source.cancel() } }
}
