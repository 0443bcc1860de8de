import Tensors

/// Measures pairs of one work with the threads of one session.
struct TakingTurns {
    let path: String
    let session: ModelSession
    let loops: MachineLoops
    let llama: LlamaCpp
    let counts: ModelCounts

    private var threads: Int { session.context.threadCount }

    /// - Returns: the pairs, and what llama.cpp gave with and without flash attention when that was chosen.
    func measure(_ work: Work, pairCount: Int) throws -> (PairSeries, flash: (on: Double, off: Double)) {
        Progress.say("\(work), \(threads) thread(s): which flash-attention setting")
        let flash = (on: try theirs(work, flashAttention: true), off: try theirs(work, flashAttention: false))
        _ = try session.measure(work)
        var series = PairSeries(wantedCount: pairCount)
        while !series.isOver {
            let number = series.pairs.count + 1
            let pair = try pair(work, flashAttention: flash.on > flash.off, oursFirst: number % 2 == 1)
            series.add(pair)
            let verdict = pair.peakSpread > PairSeries.peakSpreadMax ? ": again, the machine's speed moved" : ""
            Progress.say(
                "\(work), \(threads) thread(s), pair \(number) of \(pairCount): "
                    + "\(Decimals.short(pair.ours.tokensPerSecond)) / \(Decimals.short(pair.theirTokensPerSecond)) "
                    + "= \(Decimals.text(pair.ratio, 2))\(verdict)")
        }
        return (series, flash)
    }

    private func pair(_ work: Work, flashAttention: Bool, oursFirst: Bool) throws -> PairSeries.Pair {
        var peaks = [peak()]
        var theirRate = 0.0
        if !oursFirst {
            theirRate = try theirs(work, flashAttention: flashAttention)
            peaks.append(peak())
        }
        let (read, before) = (loops.readRate(), peaks[peaks.count - 1])
        let short = work.kind == .context ? try Work("decode").map { try sample($0, read: read, peak: before) } : nil
        var ours = try sample(work, read: read, peak: before)
        peaks.append(peak())
        ours.peakMultiplyAddsPerSecond = (before + peaks[peaks.count - 1]) / 2
        if oursFirst {
            theirRate = try theirs(work, flashAttention: flashAttention)
            peaks.append(peak())
        }
        return PairSeries.Pair(ours: ours, short: short, theirTokensPerSecond: theirRate, peaks: peaks)
    }

    private func theirs(_ work: Work, flashAttention: Bool) throws -> Double {
        try ResidentFile.ensure(path)
        return try llama.tokensPerSecond(work, threads: threads, flashAttention: flashAttention)
    }

    private func sample(_ work: Work, read: Double, peak: Double) throws -> WorkSample {
        let (seconds, tokenCount, stepCount) = try session.measure(work)
        return WorkSample(
            seconds: seconds, tokenCount: tokenCount, stepCount: stepCount, readBytesPerSecond: read,
            peakMultiplyAddsPerSecond: peak)
    }

    private func peak() -> Double {
        Statistics.median((0..<3).map { _ in loops.multiplyRate(counts.arithmetic) })
    }
}
