import Glibc
import Synchronization

/// Does long computations, one after another, off the loop. Its thread comes with work and goes with the last of it.
final class CodecThread: Sendable {
    private struct State: Sendable {
        var jobs: [@Sendable () -> Void] = []
        var hasThread = false
    }
    private let state = Mutex(State())

    func run(_ job: @escaping @Sendable () -> Void) {
        let mustStart = state.withLock { state in
            state.jobs.append(job)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard mustStart else { return }
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<CodecThread>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            context.release()
            // Late is better than never.
            return work()
        }
        pthread_detach(thread)
    }

    private func work() {
        while true {
            let job = state.withLock { state -> (@Sendable () -> Void)? in
                guard !state.jobs.isEmpty else {
                    state.hasThread = false
                    return nil
                }
                return state.jobs.removeFirst()
            }
            guard let job else { return }
            job()
        }
    }
}
