import Tensors

/// What `shardline-bench against` found.
struct AgainstReport: Encodable {
    struct Figure: Encodable {
        var work: Work
        var threads: Int
        /// Medians, over all sequences.
        var ourTokensPerSecond: Double
        var theirTokensPerSecond: Double
        /// Median of the pairs' ratios, and how far they lie apart.
        var ratio: Double
        var ratioLeast: Double
        var ratioMost: Double
        /// Ours. Of decode, batches and contexts.
        var shareOfRead: Double?
        var shareOfPeak: Double
        /// Ours, of contexts: added time, over what reading the keys and values takes.
        var addedOverReading: Double?
        var readBytesPerSecond: Double
        var peakMultiplyAddsPerSecond: Double
        /// Theirs: the faster setting, and what both gave when it was chosen.
        var flashAttention: Bool
        var theirTokensPerSecondWithFlashAttention: Double
        var theirTokensPerSecondWithoutFlashAttention: Double
        var pairCount: Int
        var pairCountWanted: Int
        /// Pairs that were measured again because the machine's speed moved meanwhile.
        var repeatedCount: Int
    }

    var machine = MachineDescription()
    var instructionSet: String
    var model: String
    var fileByteCount: Int
    var tokenByteCount: Int
    var peer = "llama.cpp"
    var figures: [Figure] = []

    /// - Parameter flash: what both settings gave.
    mutating func add(
        _ work: Work, threads: Int, _ series: PairSeries, flash: (on: Double, off: Double), counts: ModelCounts
    ) {
        let added = series.pairs.compactMap { pair in
            pair.short.map { pair.ours.addedOverReading(work, short: $0, counts) }
        }
        figures.append(
            Figure(
                work: work, threads: threads, ourTokensPerSecond: series.median(\.ours.tokensPerSecond),
                theirTokensPerSecond: series.median(\.theirTokensPerSecond), ratio: series.median(\.ratio),
                ratioLeast: series.ratioRange.least, ratioMost: series.ratioRange.most,
                shareOfRead: work.kind == .prompt ? nil : series.median { $0.ours.shareOfRead(counts) },
                shareOfPeak: series.median { $0.ours.shareOfPeak(work, counts) },
                addedOverReading: added.isEmpty ? nil : Statistics.median(added),
                readBytesPerSecond: series.median(\.ours.readBytesPerSecond),
                peakMultiplyAddsPerSecond: series.median(\.ours.peakMultiplyAddsPerSecond),
                flashAttention: flash.on > flash.off, theirTokensPerSecondWithFlashAttention: flash.on,
                theirTokensPerSecondWithoutFlashAttention: flash.off, pairCount: series.pairs.count,
                pairCountWanted: series.wantedCount, repeatedCount: series.repeatedCount))
    }

    var text: String {
        var table = Table(
            "Tokens a second over all sequences, ours and \(peer)'s with the better of its flash-attention settings; "
                + "the median of the pairs' ratios; our shares of the read loop (weights, in file bytes) and of the "
                + "peak loop; added: a context's added time over the time to read its keys and values",
            columns: [
                "work", "threads", "ours", peer, "ratio", "from-to", "read", "peak", "added", "flash", "pairs",
            ])
        for figure in figures {
            let repeated = figure.repeatedCount == 0 ? "" : " (+\(figure.repeatedCount))"
            let pairs =
                figure.pairCount == figure.pairCountWanted
                ? "\(figure.pairCount)" : "\(figure.pairCount) of \(figure.pairCountWanted): too noisy"
            table.add([
                "\(figure.work)", "\(figure.threads)", Decimals.short(figure.ourTokensPerSecond),
                Decimals.short(figure.theirTokensPerSecond), Decimals.text(figure.ratio, 2),
                "\(Decimals.text(figure.ratioLeast, 2))-\(Decimals.text(figure.ratioMost, 2))",
                figure.shareOfRead.map(Decimals.percent) ?? "", Decimals.percent(figure.shareOfPeak),
                figure.addedOverReading.map { Decimals.text($0, 2) } ?? "", figure.flashAttention ? "on" : "off",
                pairs + repeated,
            ])
        }
        return """
            \(machine.text)
            kernels: \(instructionSet)
            \(model): \(fileByteCount >> 20) MiB, of which a token reads \(tokenByteCount >> 20) MiB

            \(table.text)
            """
    }
}
