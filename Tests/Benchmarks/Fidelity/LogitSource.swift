import Inference
import Memory
import Models
import Tensors
import Vocabulary

/// A whole model that gives all logits of each row: the stage computes the hidden states, the head is applied here with
/// the same operations.
final class LogitSource {
    let vocabularySize: Int
    private let context: ComputeContext
    private let description: ModelDescription
    private let runner: StageRunner
    private let norm: AlignedBuffer
    private let head: PackedMatrix
    private let activations: Activations
    private let hidden: AlignedBuffer
    private let output: AlignedBuffer
    private let blocksPerSequence: Int
    private var stepNumber = StepNumber.first

    /// - Parameters:
    ///   - sequenceCount: sequences that are computed at once, a row of each.
    ///   - positionCount: positions of each.
    init(_ file: ModelFile, context: ComputeContext, sequenceCount: Int, positionCount: Int) throws {
        let description = try ModelDescription(file)
        guard positionCount <= description.contextLength else {
            throw BenchmarkError(
                "\(file.path): the context has \(description.contextLength) positions, not \(positionCount)")
        }
        let units = StageUnits(layers: 0..<description.layerCount, hasEmbedding: true, hasHead: false)
        let weights = try StageWeights.load(file: file, description: description, units: units, context: context)
        self.context = context
        self.description = description
        vocabularySize = description.vocabularySize
        blocksPerSequence = (positionCount + BlockID.positionCount - 1) / BlockID.positionCount
        runner = try StageRunner(
            weights: weights, context: context, blockCount: sequenceCount * blocksPerSequence,
            rowCountMax: sequenceCount, endTokens: [])
        func matrix(_ name: String) throws -> PackedMatrix {
            guard let tensor = file.tensor(name) else { throw BenchmarkError("\(file.path) has no tensor \(name)") }
            defer { context.finishPacking() }
            return try context.pack(
                file.bytes(of: tensor), format: tensor.format, rows: tensor.rows, columns: tensor.columns)
        }
        let normRow = try matrix(TensorNames.outputNorm)
        norm = try AlignedBuffer(byteCount: description.hiddenSize * MemoryLayout<Float>.stride)
        normRow.dequantizeRow(0, into: norm.pointer())
        head = try matrix(description.hasTiedEmbedding ? TensorNames.tokenEmbedding : TensorNames.output)
        activations = try context.makeActivations(
            rowCountMax: sequenceCount, columns: description.hiddenSize, formats: [head.format])
        hidden = try AlignedBuffer(byteCount: sequenceCount * description.hiddenSize * MemoryLayout<Float>.stride)
        output = try AlignedBuffer(byteCount: sequenceCount * vocabularySize * MemoryLayout<Float>.stride)
    }

    /// Puts one token of each sequence at `position`, where all before it were put.
    ///
    /// - Returns: (sequences, vocabularySize): the logits of what follows; valid until the next call.
    func logits(of tokens: [TokenID], at position: Int) throws -> UnsafePointer<Float> {
        let sequences = tokens.enumerated().map { index, token in
            SequenceRows(sequence: SequenceID(UInt64(index)), firstPosition: position, tokens: [token])
        }
        let blocks = tokens.indices.map { index in
            (index * blocksPerSequence..<(index + 1) * blocksPerSequence).map { BlockID(UInt32($0)) }
        }
        let step = Step(pipeline: PipelineID(1), epoch: Epoch(1), number: stepNumber, sequences: sequences)
        stepNumber = stepNumber.next
        _ = try runner.run(StageBatch(step: step, blocks: blocks), input: nil, output: hidden.pointer())
        context.normalize(
            hidden.pointer(), rows: tokens.count, weight: norm.pointer(), epsilon: description.normEpsilon,
            into: activations)
        context.multiply(activations, Product(head, into: output.pointer(), stride: vocabularySize))
        context.rest()
        return UnsafePointer(output.pointer(to: Float.self))
    }
}
