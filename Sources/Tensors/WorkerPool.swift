import CKernels
import CPlatform
import Glibc
import Synchronization

/// The threads of a compute context. The thread that calls `run` computes too, so a pool of n threads starts n - 1.
final class WorkerPool {
    let threadCount: Int
    private let state: PoolState
    private var threads: [pthread_t] = []

    /// The layout's first thread is the driving one, the rest are the workers.
    init(layout: ThreadLayout) throws(TensorError) {
        threadCount = layout.threadCount
        state = PoolState(threadCounts: layout.groups.map(\.threadCount))
        for index in 1..<max(threadCount, 1) {
            try start(index: index, layout: layout)
        }
    }

    /// How tiles are dealt to groups of threads.
    var shares: GroupShares { state.shares }

    deinit {
        state.stop()
        for thread in threads { pthread_join(thread, nil) }
    }

    /// Runs each tile once, over all threads.
    func run<Job: TileJob>(_ job: Job, tileCount: Int) {
        precondition(
            sl_float_environment_is_default() != 0,
            "the calling thread does not round to nearest with denormals, as all arithmetic here expects")
        guard threadCount > 1, tileCount > 1 else {
            for tile in 0..<max(tileCount, 0) { job.runTile(tile) }
            return
        }
        withUnsafePointer(to: job) { state.run($0, tileCount: tileCount) }
    }

    func rest() { state.rest() }

    private func start(index: Int, layout: ThreadLayout) throws(TensorError) {
        let launch = WorkerLaunch(state: state, index: index, layout: layout)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<WorkerLaunch>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(launch).toOpaque())
        guard error == 0 else {
            Unmanaged.passUnretained(launch).release()
            throw TensorError(.unsupported, "cannot start compute thread \(index): \(String(cString: strerror(error)))")
        }
        threads.append(thread)
        if let error = launch.waitUntilStarted() { throw error }
    }
}

/// What a starting worker is told, and what it answers.
private final class WorkerLaunch: Sendable {
    private let state: PoolState
    private let index: Int
    private let layout: ThreadLayout
    private let hasStarted = Atomic<Bool>(false)
    /// Why the thread could not be bound.
    private let failure = Mutex<TensorError?>(nil)

    init(state: PoolState, index: Int, layout: ThreadLayout) {
        self.state = state
        self.index = index
        self.layout = layout
    }

    func run() {
        sl_thread_set_name("compute \(index)")
        do { try layout.bindCallingThread(index) } catch { failure.withLock { $0 = error } }
        hasStarted.store(true, ordering: .releasing)
        state.runWorker(ofGroup: layout.groupOfThread[index])
    }

    func waitUntilStarted() -> TensorError? {
        while !hasStarted.load(ordering: .acquiring) { sched_yield() }
        return failure.withLock { $0 }
    }
}
