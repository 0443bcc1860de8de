import Foundation
package import Tensors

/// How far a model's logits are from its reference's, over many positions.
package struct LogitErrors {
    /// Of the log-probability of the reference's top token, one for each position.
    package private(set) var logprobErrors: [Double] = []
    package private(set) var sameTopCount = 0
    private var squaredError = 0.0
    private var squaredReference = 0.0

    package init() {}

    package var positionCount: Int { logprobErrors.count }
    package var sameTopShare: Double { Double(sameTopCount) / Double(positionCount) }

    /// Root of the mean square of the logits' errors over that of the logits, both without their means at each
    /// position, which change no probability.
    package var relativeError: Double { (squaredError / squaredReference).squareRoot() }

    /// Adds a position.
    ///
    /// - Parameters:
    ///   - model: `count` logits; `reference` likewise, computed from the same tokens.
    /// - Throws: when a logit is not finite.
    package mutating func add(
        model: UnsafePointer<Float>, reference: UnsafePointer<Float>, count: Int, context: ComputeContext
    ) throws {
        let (own, wanted) = (Self.summary(model, count), Self.summary(reference, count))
        let ownLog = context.logSumExp(model, count: count).logSumExp
        let wantedLog = context.logSumExp(reference, count: count).logSumExp
        guard ownLog.isFinite, wantedLog.isFinite else {
            throw BenchmarkError("the model gives logits that are not finite: its weights make no sense")
        }
        let top = wanted.top
        logprobErrors.append(Double(abs((model[top] - ownLog) - (reference[top] - wantedLog))))
        if own.top == top { sameTopCount += 1 }
        for index in 0..<count {
            let value = Double(reference[index]) - wanted.mean
            let error = Double(model[index]) - own.mean - value
            squaredError += error * error
            squaredReference += value * value
        }
    }

    private static func summary(_ logits: UnsafePointer<Float>, _ count: Int) -> (top: Int, mean: Double) {
        var (top, sum) = (0, 0.0)
        for index in 0..<count {
            if logits[index] > logits[top] { top = index }
            sum += Double(logits[index])
        }
        return (top, sum / Double(count))
    }
}
