import CPlatform
import Foundation
import Inference
import Logging
import Memory
import Models
import Synchronization
import Tensors
import Vocabulary

/// The one thread of a node that loads weights and runs steps, in the order they were asked for.
///
/// Kernels spread each operation over the context's workers, this thread among them; nothing of it ever runs on
/// Swift's cooperative pool. Completions are called on this thread.
final class ComputeThread: Sendable {
    enum Job: Sendable {
        case load(StageAssignment, progress: @Sendable (Int, Int) -> Void, completion: Completion<Void>)
        case compute(StageBatch, input: BufferSlice?, output: BufferSlice?, completion: Completion<[SequenceOutput]>)
        case unload(PipelineID, Epoch)
        case stop
    }

    typealias Completion<Value> = @Sendable (Result<Value, any Error>) -> Void

    private let jobs: JobQueue

    /// - Parameter makeStages: called once on the new thread; what it returns never leaves that thread.
    init(name: String, makeStages: @escaping @Sendable () -> StageStore) {
        let jobs = JobQueue()
        self.jobs = jobs
        let thread = Thread {
            // Foundation's name does not reach the system, where people look who want to know what a core does.
            sl_thread_set_name(name)
            let stages = makeStages()
            while true {
                switch jobs.next() {
                case .load(let assignment, let progress, let completion):
                    completion(Result { try stages.load(assignment, progress: progress) })
                case .compute(let batch, let input, let output, let completion):
                    completion(Result { try stages.compute(batch, input: input, output: output) })
                case .unload(let pipeline, let epoch):
                    stages.unload(pipeline, epoch)
                case .stop:
                    return
                }
            }
        }
        thread.stackSize = 8 << 20
        thread.start()
    }

    func enqueue(_ job: Job) { jobs.append(job) }

    deinit { jobs.append(.stop) }
}

/// A queue that one thread waits at.
private final class JobQueue: Sendable {
    private let jobs = Mutex<[ComputeThread.Job]>([])
    private let available = DispatchSemaphore(value: 0)

    func append(_ job: ComputeThread.Job) {
        jobs.withLock { $0.append(job) }
        available.signal()
    }

    func next() -> ComputeThread.Job {
        available.wait()
        return jobs.withLock { $0.removeFirst() }
    }
}
