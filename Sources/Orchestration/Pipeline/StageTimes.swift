/// What is known of one stage's time for a step: a fixed part (reading the weights) and a part a row, prompt rows and
/// decode rows apart, since only the latter go through the head. Least squares over the steps seen, of which the
/// older ones fade away.
package struct StageTimes: Sendable {
    package private(set) var fixedSeconds = 0.0
    package private(set) var secondsPerPromptRow = 0.0
    package private(set) var secondsPerDecodeRow = 0.0
    package private(set) var sampleCount = 0

    /// Sums over the steps: of products of (1, prompt rows, decode rows), and of these with the time.
    private var products = Matrix()
    private var times = SIMD3<Double>.zero

    /// Symmetric.
    private struct Matrix: Sendable {
        var rows: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>) = (.zero, .zero, .zero)
    }

    /// What a step keeps of its weight when one more is seen: half after 35 steps.
    private static let retention = 0.98
    /// While few steps are seen, a row is taken to cost what another does, and a sixteenth of the fixed part; later,
    /// what steps have not told for long is taken to be as it was. The weight of either against one step.
    private static let guessWeight = 0.05
    private static let rowsPerFixedPart = 16.0
    private static let guessSampleCountMax = 16

    package init() {}

    package mutating func add(promptRowCount: Int, decodeRowCount: Int, seconds: Double) {
        guard seconds.isFinite, seconds >= 0 else { return }
        sampleCount += 1
        let features = SIMD3(1, Double(promptRowCount), Double(decodeRowCount))
        products.rows.0 = products.rows.0 * Self.retention + features * features[0]
        products.rows.1 = products.rows.1 * Self.retention + features * features[1]
        products.rows.2 = products.rows.2 * Self.retention + features * features[2]
        times = times * Self.retention + features * seconds
        fit()
    }

    /// The time of a step; `sampleCount` says whether anything is known.
    package func seconds(promptRowCount: Int, decodeRowCount: Int) -> Double {
        fixedSeconds + secondsPerPromptRow * Double(promptRowCount) + secondsPerDecodeRow * Double(decodeRowCount)
    }

    /// Coordinate descent, which keeps all parts above zero; it starts at the last result, so few rounds do.
    private mutating func fit() {
        var parts = SIMD3(fixedSeconds, secondsPerPromptRow, secondsPerDecodeRow)
        let isGuessing = sampleCount <= Self.guessSampleCountMax
        let ratio = isGuessing ? Self.rowsPerFixedPart : 0
        let coupling = isGuessing ? 1.0 : 0
        let weight = Self.guessWeight
        let matrix = [
            products.rows.0 + weight * SIMD3(1, 0, -ratio),
            products.rows.1 + weight * SIMD3(0, 1, -coupling),
            products.rows.2 + weight * SIMD3(-ratio, -coupling, ratio * ratio + 1),
        ]
        let target = isGuessing ? times : times + weight * parts
        for _ in 0..<(isGuessing ? 200 : 20) {
            for index in 0..<3 {
                let row = matrix[index]
                let others = (row * parts).sum() - row[index] * parts[index]
                parts[index] = max(0, (target[index] - others) / row[index])
            }
        }
        (fixedSeconds, secondsPerPromptRow, secondsPerDecodeRow) = (parts[0], parts[1], parts[2])
    }
}
