/// One measurement of a work, with what the machine gave beside it.
package struct WorkSample {
    package var seconds: Double
    package var tokenCount: Int
    package var stepCount: Int
    package var readBytesPerSecond: Double
    package var peakMultiplyAddsPerSecond: Double

    package init(
        seconds: Double, tokenCount: Int, stepCount: Int, readBytesPerSecond: Double, peakMultiplyAddsPerSecond: Double
    ) {
        self.seconds = seconds
        self.tokenCount = tokenCount
        self.stepCount = stepCount
        self.readBytesPerSecond = readBytesPerSecond
        self.peakMultiplyAddsPerSecond = peakMultiplyAddsPerSecond
    }

    package var tokensPerSecond: Double { Double(tokenCount) / seconds }
    package var stepSeconds: Double { seconds / Double(stepCount) }

    /// Weights read a second, in bytes of the file, as a share of what the read loop reads.
    package func shareOfRead(_ counts: ModelCounts) -> Double {
        Double(counts.tokenByteCount) / stepSeconds / readBytesPerSecond
    }

    /// Multiply-adds a second as a share of the peak loop's.
    package func shareOfPeak(_ work: Work, _ counts: ModelCounts) -> Double {
        let multiplyAdds = counts.multiplyAdds(
            rowCount: tokenCount, headRowCount: work.kind == .prompt ? 1 : tokenCount)
        return Double(multiplyAdds) / seconds / peakMultiplyAddsPerSecond
    }

    /// By how much a context makes a token slower, over the time that reading its keys and values takes.
    ///
    /// - Parameter short: tokens at the beginning of a sequence, measured beside this.
    package func addedOverReading(_ work: Work, short: WorkSample, _ counts: ModelCounts) -> Double {
        // Both time as many steps; the step at position p reads p + 1 positions.
        let first = max(0, work.count - stepCount)
        let reading = Double(first * counts.positionByteCount) / readBytesPerSecond
        return (stepSeconds - short.stepSeconds) / reading
    }
}
