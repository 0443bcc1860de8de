import Tensors

/// What `shardline-bench model` found.
struct ModelReport: Encodable {
    struct Load: Encodable {
        var threads: Int
        var seconds: Double
        var bytesPerSecond: Double
    }

    struct Figure: Encodable {
        var work: Work
        var threads: Int
        var tokensPerSecond: Double
        var stepSeconds: Double
        var readBytesPerSecond: Double
        var peakMultiplyAddsPerSecond: Double
        /// Of decode, batches and contexts.
        var shareOfRead: Double?
        var shareOfPeak: Double
        /// Of contexts: added time, over what reading the keys and values takes.
        var addedOverReading: Double?
    }

    var machine: MachineDescription
    var instructionSet: String
    var model: String
    var fileByteCount: Int
    /// Of the tensors that every token reads: all but the embedding unless it is the head, too.
    var tokenByteCount: Int
    var memory: MemoryFigures?
    var loads: [Load] = []
    var figures: [Figure] = []

    init(model: String, fileByteCount: Int, counts: ModelCounts, instructionSet: InstructionSet) {
        machine = MachineDescription()
        self.instructionSet = instructionSet.rawValue
        self.model = model
        self.fileByteCount = fileByteCount
        tokenByteCount = counts.tokenByteCount
    }

    mutating func add(_ work: Work, threads: Int, samples: [WorkSample], short: [WorkSample], counts: ModelCounts) {
        func median(_ value: (WorkSample) -> Double) -> Double { Statistics.median(samples.map(value)) }
        let added = zip(samples, short).map { $0.addedOverReading(work, short: $1, counts) }
        figures.append(
            Figure(
                work: work, threads: threads, tokensPerSecond: median(\.tokensPerSecond),
                stepSeconds: median(\.stepSeconds), readBytesPerSecond: median(\.readBytesPerSecond),
                peakMultiplyAddsPerSecond: median(\.peakMultiplyAddsPerSecond),
                shareOfRead: work.kind == .prompt ? nil : median { $0.shareOfRead(counts) },
                shareOfPeak: median { $0.shareOfPeak(work, counts) },
                addedOverReading: work.kind == .context ? Statistics.median(added) : nil))
    }

    var text: String {
        var text = """
            \(machine.text)
            kernels: \(instructionSet)
            \(model): \(fileByteCount >> 20) MiB, of which a token reads \(tokenByteCount >> 20) MiB


            """
        if let memory { text += memory.text }
        for load in loads {
            let rate = Decimals.short(load.bytesPerSecond / 1e9)
            text += "load with \(load.threads) thread(s): \(Decimals.text(load.seconds, 2)) s, \(rate) GB/s\n"
        }
        guard !figures.isEmpty else { return text }
        var table = Table(
            "\nTokens a second over all sequences; weights read (in file bytes) as a share of the read loop beside it, "
                + "multiply-adds of the peak loop; added: a context's added time over the time to read its keys and "
                + "values",
            columns: ["work", "threads", "tokens/s", "ms/step", "read loop", "share", "peak loop", "share", "added"])
        for figure in figures {
            table.add([
                "\(figure.work)", "\(figure.threads)", Decimals.short(figure.tokensPerSecond),
                Decimals.short(figure.stepSeconds * 1e3), "\(Decimals.short(figure.readBytesPerSecond / 1e9)) GB/s",
                figure.shareOfRead.map(Decimals.percent) ?? "",
                "\(Decimals.short(figure.peakMultiplyAddsPerSecond / 1e9)) GMAC/s",
                Decimals.percent(figure.shareOfPeak), figure.addedOverReading.map { Decimals.text($0, 2) } ?? "",
            ])
        }
        return text + table.text
    }
}
