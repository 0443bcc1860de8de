import Models
import Tensors
import Vocabulary

extension StageRunner {
    /// hidden[row] = the embedding of the row's token.
    func embed(into hidden: UnsafeMutablePointer<Float>) {
        guard let embedding = weights.embedding else { return }
        let hiddenSize = weights.description.hiddenSize
        withExtendedLifetime(embedding) {
            let job = EmbeddingJob(
                embedding: .passUnretained(embedding), tokens: workspace.tokens, rowCount: plan.rowCount,
                hidden: hidden, hiddenSize: hiddenSize)
            context.run(job, tileCount: job.tileCount)
        }
    }

    /// Runs the stage's layers on the hidden states of the plan's rows, in place. With the head on the stage, only
    /// the head
    /// rows come out, moved together at the beginning.
    func runLayers(_ hidden: UnsafeMutablePointer<Float>) {
        for (index, layer) in weights.layers.enumerated() {
            attentionInputs(layer, hidden)
            let isLast = index == weights.layers.count - 1
            if isLast, weights.units.hasHead, plan.headRows.count < plan.rowCount {
                // Nobody reads the other rows' hidden states: their keys and values were all that was left to do.
                gatherHeadRows(hidden)
                finish(layer, hidden, spans: plan.headSpans, rowCount: plan.headRows.count)
            } else {
                finish(layer, hidden, spans: plan.spans, rowCount: plan.rowCount)
            }
            plan.advance(byLayerByteCount: pool.layerByteCount)
        }
    }

    /// Queries, keys and values of all rows; keys and values go into the cache.
    private func attentionInputs(_ layer: LayerWeights, _ hidden: UnsafeMutablePointer<Float>) {
        let model = weights.description
        let rowCount = plan.rowCount
        let stride = workspace.queryStride
        let queries = workspace.queries
        let keys = queries + model.headCount * model.headSize
        let values = keys + model.kvHeadCount * model.headSize
        context.normalize(
            hidden, rows: rowCount, weight: layer.attentionNorm.values, epsilon: model.normEpsilon,
            into: workspace.hiddenActivations)
        context.multiply(
            workspace.hiddenActivations, Product(layer.query, into: queries, stride: stride),
            Product(layer.key, into: keys, stride: stride), Product(layer.value, into: values, stride: stride))
        addBias(layer.queryBias, to: queries, rowCount: rowCount, rowStride: stride)
        addBias(layer.keyBias, to: keys, rowCount: rowCount, rowStride: stride)
        addBias(layer.valueBias, to: values, rowCount: rowCount, rowStride: stride)
        // Keys lie right behind queries: both are turned at once.
        context.rotate(
            queries, rows: rowCount, rowStride: stride, headCount: model.headCount + model.kvHeadCount,
            headSize: model.headSize, positions: workspace.positions, table: rotaryTable)
        plan.spans.withUnsafeBufferPointer {
            context.storeKeysValues(keys: keys, values: values, rowStride: stride, sequences: $0, geometry: geometry)
        }
    }

    /// Moves the head rows' hidden states and queries to the front; each moves to a row before it or stays.
    private func gatherHeadRows(_ hidden: UnsafeMutablePointer<Float>) {
        let hiddenSize = weights.description.hiddenSize
        let queryCount = weights.description.headCount * weights.description.headSize
        let stride = workspace.queryStride
        for (index, row) in plan.headRows.enumerated() where row.rowIndex != index {
            (hidden + index * hiddenSize).update(from: hidden + row.rowIndex * hiddenSize, count: hiddenSize)
            (workspace.queries + index * stride).update(
                from: workspace.queries + row.rowIndex * stride, count: queryCount)
        }
    }

    /// From queries to the layer's result: attention and feed-forward, both added to the hidden states.
    private func finish(
        _ layer: LayerWeights, _ hidden: UnsafeMutablePointer<Float>, spans: [AttentionSpan], rowCount: Int
    ) {
        guard rowCount > 0 else { return }
        let model = weights.description
        let hiddenSize = model.hiddenSize
        spans.withUnsafeBufferPointer {
            context.attend(
                queries: workspace.queries, rowStride: workspace.queryStride, sequences: $0, geometry: geometry,
                scale: attentionScale, output: workspace.attention, outputStride: model.headCount * model.headSize)
        }
        context.load(workspace.attention, rows: rowCount, into: workspace.attentionActivations)
        context.multiply(
            workspace.attentionActivations, Product(layer.attentionOutput, into: hidden, stride: hiddenSize),
            epilogue: .add)
        addBias(layer.attentionOutputBias, to: hidden, rowCount: rowCount, rowStride: hiddenSize)

        let gates = workspace.gates
        let ups = gates + model.feedForwardSize
        context.normalize(
            hidden, rows: rowCount, weight: layer.feedForwardNorm.values, epsilon: model.normEpsilon,
            into: workspace.hiddenActivations)
        context.multiplyGated(
            workspace.hiddenActivations, gate: Product(layer.gate, into: gates, stride: workspace.gateStride),
            up: Product(layer.up, into: ups, stride: workspace.gateStride), into: workspace.feedForwardActivations)
        context.multiply(
            workspace.feedForwardActivations, Product(layer.down, into: hidden, stride: hiddenSize), epilogue: .add)
    }

    private func addBias(
        _ bias: WeightVector?, to x: UnsafeMutablePointer<Float>, rowCount: Int, rowStride: Int
    ) {
        guard let bias else { return }
        context.addBias(x, rows: rowCount, rowStride: rowStride, bias: bias.values, columns: bias.count)
    }
}

private struct EmbeddingJob: TileJob {
    let embedding: Unmanaged<PackedMatrix>
    let tokens: UnsafePointer<TokenID>
    let rowCount: Int
    /// (rowCount, hiddenSize)
    let hidden: UnsafeMutablePointer<Float>
    let hiddenSize: Int

    private static let rowsPerTile = 16

    var tileCount: Int { (rowCount + Self.rowsPerTile - 1) / Self.rowsPerTile }

    func runTile(_ index: Int) {
        let first = index * Self.rowsPerTile
        embedding._withUnsafeGuaranteedRef { embedding in
            for row in first..<min(first + Self.rowsPerTile, rowCount) {
                embedding.dequantizeRow(Int(tokens[row]), into: hidden + row * hiddenSize)
            }
        }
    }
}
