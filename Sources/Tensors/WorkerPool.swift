import CKernels
import CPlatform
import Glibc
import Synchronization

/// The threads of a compute context. The thread that calls `run` computes too, so a pool of n threads starts n - 1.
final class WorkerPool {
    let threadCount: Int
    private let state = PoolState()
    private var threads: [pthread_t] = []

    /// `cpus[0]` is the driving thread's, the rest are the workers'.
    init(threadCount: Int, cpus: [Int]?) throws(TensorError) {
        self.threadCount = threadCount
        for index in 1..<max(threadCount, 1) {
            try start(index: index, cpu: cpus?[index])
        }
    }

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

    private func start(index: Int, cpu: Int?) throws(TensorError) {
        let launch = WorkerLaunch(state: state, index: index, cpu: cpu)
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
        let pinError = launch.waitUntilStarted()
        guard pinError == 0 else {
            throw TensorError(
                .unsupported,
                "cannot bind compute thread \(index) to CPU \(cpu ?? -1): \(String(cString: strerror(pinError))); "
                    + "give CPUs that this process may run on")
        }
    }
}

/// What a starting worker is told, and what it answers.
private final class WorkerLaunch: Sendable {
    private let state: PoolState
    private let index: Int
    private let cpu: Int?
    /// 0 while starting, then 1 + the errno value of pinning.
    private let answer = Atomic<Int32>(0)

    init(state: PoolState, index: Int, cpu: Int?) {
        self.state = state
        self.index = index
        self.cpu = cpu
    }

    func run() {
        sl_thread_set_name("compute \(index)")
        let error = cpu.map { sl_thread_pin(Int32(clamping: $0)) } ?? 0
        answer.store(1 + error, ordering: .releasing)
        state.runWorker()
    }

    func waitUntilStarted() -> Int32 {
        while answer.load(ordering: .acquiring) == 0 { sched_yield() }
        return answer.load(ordering: .acquiring) - 1
    }
}
