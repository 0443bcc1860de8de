import Foundation
import Models
import Tensors

/// The llama architecture in float64 and plain loops, without cache, batches or blocks. It rounds where the design
/// rounds coarsely: keys and values to float16, inputs of quantised matrices to 8 bits.
struct ReferenceModel {
    let shape: RandomModel.Shape
    private let tensors: [String: [Double]]
    private let quantised: Set<String>

    init(_ model: RandomModel) {
        shape = model.shape
        tensors = model.tensors.mapValues { $0.values.map(Double.init) }
        quantised = Set(model.tensors.filter { $0.value.format.isQuantised }.keys)
    }

    /// (tokens, vocabularySize): log-probabilities of the token after each.
    func logprobs(_ tokens: [Int32]) -> [[Double]] {
        let embedding = tensors[TensorNames.tokenEmbedding] ?? []
        var hidden = tokens.map { token in
            Array(embedding[Int(token) * shape.hiddenSize..<(Int(token) + 1) * shape.hiddenSize])
        }
        for index in 0..<shape.layerCount { runLayer(TensorNames.layer(index), &hidden) }
        return hidden.map { row in
            let logits = multiply(
                shape.isTied ? TensorNames.tokenEmbedding : TensorNames.output, normalize(row, TensorNames.outputNorm))
            let largest = logits.max() ?? 0
            let logSum = largest + log(logits.reduce(0) { $0 + exp($1 - largest) })
            return logits.map { $0 - logSum }
        }
    }

    private func runLayer(_ names: TensorNames.Layer, _ hidden: inout [[Double]]) {
        let size = shape.headSize
        var queries: [[Double]] = [], keys: [[Double]] = [], values: [[Double]] = []
        for (position, row) in hidden.enumerated() {
            let x = normalize(row, names.attentionNorm)
            queries.append(rotated(add(multiply(names.query, x), names.queryBias), position))
            keys.append(halves(rotated(add(multiply(names.key, x), names.keyBias), position)))
            values.append(halves(add(multiply(names.value, x), names.valueBias)))
        }
        for row in hidden.indices {
            var attended = [Double](repeating: 0, count: shape.headCount * size)
            for head in 0..<shape.headCount {
                let kvHead = head / (shape.headCount / shape.kvHeadCount)
                let scores = (0...row).map { position in
                    dot(queries[row], head * size, keys[position], kvHead * size, size) / Double(size).squareRoot()
                }
                let largest = scores.max() ?? 0
                let weights = scores.map { exp($0 - largest) }
                let sum = weights.reduce(0, +)
                for position in 0...row {
                    for d in 0..<size {
                        attended[head * size + d] += weights[position] / sum * values[position][kvHead * size + d]
                    }
                }
            }
            hidden[row] = sum(hidden[row], add(multiply(names.attentionOutput, attended), names.attentionOutputBias))
            let x = normalize(hidden[row], names.feedForwardNorm)
            let (gates, ups) = (multiply(names.gate, x), multiply(names.up, x))
            let product = zip(gates, ups).map { $0 / (1 + exp(-$0)) * $1 }
            hidden[row] = sum(hidden[row], multiply(names.down, product))
        }
    }

    private func multiply(_ name: String, _ x: [Double]) -> [Double] {
        let weights = tensors[name] ?? []
        let x = quantised.contains(name) ? Self.quantise(x) : x
        return (0..<weights.count / x.count).map { dot(weights, $0 * x.count, x, 0, x.count) }
    }

    /// Of `count` elements of both from their offsets on. A plain loop over pointers, because tests run unoptimised.
    private func dot(
        _ left: [Double], _ leftOffset: Int, _ right: [Double], _ rightOffset: Int, _ count: Int
    ) -> Double {
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                guard var a = left.baseAddress, var b = right.baseAddress else { return 0 }
                a += leftOffset
                b += rightOffset
                var sum = 0.0
                var index = 0
                while index < count {
                    sum += a[index] * b[index]
                    index += 1
                }
                return sum
            }
        }
    }

    private func halves(_ x: [Double]) -> [Double] { x.map { Double(Float16($0)) } }

    /// To int8 with a zero point, 32 values at a time.
    private static func quantise(_ x: [Double]) -> [Double] {
        stride(from: 0, to: x.count, by: 32).flatMap { first in
            let block = x[first..<first + 32]
            let low = min(0, block.min() ?? 0)
            let step = (max(0, block.max() ?? 0) - low) / 254
            guard step > 0 else { return Array(block) }
            let zero = (-low / step - 127).rounded(.toNearestOrEven)
            return block.map { value in
                let quant = (value / step + zero).rounded(.toNearestOrEven)
                return step * (min(max(quant, -127), 127) - zero)
            }
        }
    }

    private func normalize(_ x: [Double], _ name: String) -> [Double] {
        let weights = tensors[name] ?? []
        let scale = 1 / (x.reduce(0) { $0 + $1 * $1 } / Double(x.count) + Double(RandomModel.normEpsilon)).squareRoot()
        return zip(x, weights).map { $0 * scale * $1 }
    }

    private func sum(_ x: [Double], _ y: [Double]) -> [Double] { zip(x, y).map { $0 + $1 } }
    private func add(_ x: [Double], _ bias: String) -> [Double] { tensors[bias].map { sum(x, $0) } ?? x }

    private func rotated(_ x: [Double], _ position: Int) -> [Double] {
        var x = x
        let factors = tensors[TensorNames.rotaryFactors]
        for pair in 0..<x.count / 2 {
            let place = pair % (shape.headSize / 2)
            let frequency = pow(Double(RandomModel.rotaryBase), -2 * Double(place) / Double(shape.headSize))
            let angle = Double(position) * frequency / (factors?[place] ?? 1)
            let (even, odd) = (x[2 * pair], x[2 * pair + 1])
            x[2 * pair] = even * cos(angle) - odd * sin(angle)
            x[2 * pair + 1] = even * sin(angle) + odd * cos(angle)
        }
        return x
    }
}
