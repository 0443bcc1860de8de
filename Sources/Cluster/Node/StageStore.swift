import Inference
import Logging
import Memory
import Models
import Tensors
import Vocabulary

/// The stages a node holds: weights and compute state of each pipeline's stage. Belongs to the compute thread.
final class StageStore {
    private struct Held {
        var assignment: StageAssignment
        var weights: StageWeights
        var runner: StageRunner
    }

    private let context: ComputeContext
    private let library: ModelLibrary
    private let placement: Placement
    private let cache: WeightCache?
    private let onLoaded: () -> Void
    private let logger: Logger
    private var held: [PipelineID: Held] = [:]

    /// - Parameter onLoaded: called when weights have been loaded; some may not be in the cache yet.
    init(
        context: ComputeContext, library: ModelLibrary, placement: Placement, cache: WeightCache?,
        onLoaded: @escaping () -> Void, logger: Logger
    ) {
        self.context = context
        self.library = library
        self.placement = placement
        self.cache = cache
        self.onLoaded = onLoaded
        self.logger = logger
    }

    /// Loads what `assignment` names. Weights that are here already from an earlier epoch are kept.
    func load(_ assignment: StageAssignment, progress: @escaping (Int, Int) -> Void) throws {
        let model = try library.model(fingerprint: assignment.modelFingerprint, name: assignment.model)
        let weights: StageWeights
        var origin = ""
        if let old = held.removeValue(forKey: assignment.pipeline),
            old.assignment.units == assignment.units,
            old.assignment.modelFingerprint == assignment.modelFingerprint
        {
            weights = old.weights
        } else {
            let clock = ContinuousClock()
            let start = clock.now
            weights = try StageWeights.load(
                file: model.file, description: model.description, units: assignment.units, context: context,
                placement: placement, cache: cache, progress: progress)
            onLoaded()
            origin = Self.origin(of: weights, since: clock.now - start, hasCache: cache != nil)
        }
        let runner = try StageRunner(
            weights: weights, context: context, blockCount: assignment.blockCount,
            rowCountMax: assignment.rowCountMax, endTokens: model.endTokens)
        held[assignment.pipeline] = Held(assignment: assignment, weights: weights, runner: runner)
        logger.info(
            """
            stage \(assignment.stageIndex + 1) of \(assignment.stageCount) of '\(assignment.model)' is ready: layers \
            \(assignment.units.layers.lowerBound)-\(assignment.units.layers.upperBound - 1), \
            \(weights.byteCount >> 20) MiB of weights\(origin), \(assignment.blockCount) KV blocks
            """)
    }

    /// For the log: how long loading took, and how much of it the cache saved.
    private static func origin(of weights: StageWeights, since duration: Duration, hasCache: Bool) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        let cached = hasCache ? ", \(weights.cachedByteCount >> 20) MiB of them from the cache" : ""
        return " (loaded in \(milliseconds) ms\(cached))"
    }

    func unload(_ pipeline: PipelineID, _ epoch: Epoch) {
        guard let stage = held[pipeline], stage.assignment.epoch <= epoch else { return }
        held[pipeline] = nil
    }

    func compute(_ batch: StageBatch, input: BufferSlice?, output: BufferSlice?) throws -> [SequenceOutput] {
        guard let stage = held[batch.step.pipeline], stage.assignment.epoch == batch.step.epoch else {
            throw ClusterError("no stage of pipeline \(batch.step.pipeline), epoch \(batch.step.epoch), is held here")
        }
        return try stage.runner.run(
            batch, input: input?.floats(orNilWhenEmpty: true), output: output?.mutableFloats)
    }
}

extension BufferSlice {
    fileprivate func floats(orNilWhenEmpty: Bool) -> UnsafePointer<Float>? {
        guard byteCount > 0 || !orNilWhenEmpty else { return nil }
        return UnsafePointer((buffer.base + offset).assumingMemoryBound(to: Float.self))
    }

    fileprivate var mutableFloats: UnsafeMutablePointer<Float> {
        (buffer.base + offset).assumingMemoryBound(to: Float.self)
    }
}
