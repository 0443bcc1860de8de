import ArgumentParser
import Memory
import Tensors

/// `shardline-bench kernels`: products and attention, each held against what the machine gives at that moment.
struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures products of every weight format, and attention.",
        discussion: """
            One row is held against a loop that reads memory (the best of 1, 2, 4 and 8 streams, over as many bytes), \
            several rows against a loop that multiplies in registers with the same instructions. Loops and kernels \
            take turns; figures are medians, shares are medians of the rounds' ratios.
            """)

    @Option(help: "Weight formats, with commas between them (default: all).")
    var formats: String?

    @OptionGroup var kernels: KernelOption

    @Option(help: "Numbers of threads.")
    var threads = NumberList([1, 2])

    @Option(help: "Rows of activations; 1 is held against the read loop.")
    var rows = NumberList([1, 2, 4, 8, 16, 64, 256])

    @Option(help: "Positions of the attended context; 0 leaves attention out.")
    var attentionPositions = NumberList([1024, 4096, 8192])

    @Option(help: "Rows of one sequence that attend together.")
    var attentionRows = NumberList([1, 8, 32])

    @Option(help: "Query heads, KV heads and head size of the attention.")
    var heads = NumberList([32, 8, 64])

    @Option(help: "MiB of weights of one format: several times the shared cache.")
    var weightMib = 256

    @Option(help: "Rounds of which the median is taken.")
    var rounds = 5

    @OptionGroup var output: ReportOutput

    func validate() throws {
        guard (1...64 << 10).contains(weightMib) else { throw ValidationError("--weight-mib must be 1 to 65536.") }
        guard rounds > 0 else { throw ValidationError("--rounds must be 1 or more.") }
        guard heads.values.count == 3 else { throw ValidationError("--heads takes three numbers, as in 32,8,64.") }
        guard attentionRows.values.allSatisfy({ $0 > 0 }), rows.values.allSatisfy({ (1...4096).contains($0) }) else {
            throw ValidationError("Rows must be 1 to 4096.")
        }
        guard threads.values.allSatisfy({ $0 > 0 }) else { throw ValidationError("--threads must be 1 or more.") }
    }

    func run() throws {
        let formats = try self.formats?.split(separator: ",").map { try FormatChoice.format(String($0)) }
        let contexts = try threads.values.map {
            try ComputeContext(threadCount: $0, instructionSet: kernels.value)
        }
        guard let widest = contexts.max(by: { $0.threadCount < $1.threadCount }) else { return }
        let memory = try MachineLoops.readable(byteCount: weightMib << 20, context: widest)
        let loops = contexts.map { MachineLoops(context: $0, memory: memory, instructionSet: kernels.value) }
        for loop in loops { _ = loop.readRate() }
        var report = KernelReport(machine: MachineDescription(), instructionSet: kernels.value.rawValue)
        for format in formats ?? TensorFormat.allCases { try measure(format, widest, loops, &report) }
        let positions = attentionPositions.values.filter { $0 > 0 }
        if !positions.isEmpty { try measureAttention(positions, widest, loops, &report) }
        try output.write(report, text: report.text)
    }

    private static let secondsWanted = 0.05

    private func measure(
        _ format: TensorFormat, _ widest: ComputeContext, _ loops: [MachineLoops], _ report: inout KernelReport
    ) throws {
        Progress.say("\(format.name)")
        let matrices = try MultiplyBenchmark.matrices(
            format: format, byteCountMin: weightMib << 20, context: widest)
        for loop in loops {
            let benchmark = try MultiplyBenchmark(
                matrices: matrices, format: format, rowCountMax: rows.values.max() ?? 1, context: loop.context)
            let threads = loop.context.threadCount
            let arithmetic: MachineLoops.Arithmetic = format.isQuantised ? .dot : .float
            var decode = PairedSamples()
            var products = rows.values.filter { $0 > 1 }.map { (rows: $0, samples: PairedSamples()) }
            for _ in 0..<rounds {
                if rows.values.contains(1) { decode.add(loop.readRate(), benchmark.decodeRate()) }
                for index in products.indices {
                    let peak = loop.multiplyRate(arithmetic)
                    let rate = benchmark.multiplyRate(
                        rowCount: products[index].rows, secondsWanted: Self.secondsWanted)
                    products[index].samples.add(peak, rate)
                }
            }
            if !decode.isEmpty {
                report.decode.append(
                    .init(
                        format: format.name, threads: threads, readBytesPerSecond: decode.limit,
                        bytesPerSecond: decode.value, shareOfRead: decode.share))
            }
            report.products += products.map { rows, samples in
                .init(
                    format: format.name, threads: threads, rows: rows, arithmetic: arithmetic,
                    peakMultiplyAddsPerSecond: samples.limit, multiplyAddsPerSecond: samples.value,
                    shareOfPeak: samples.share)
            }
        }
    }

    private func measureAttention(
        _ positions: [Int], _ widest: ComputeContext, _ loops: [MachineLoops], _ report: inout KernelReport
    ) throws {
        let geometry = try AttentionGeometry(
            headCount: heads.values[0], kvHeadCount: heads.values[1], headSize: heads.values[2])
        let blockPositions = AttentionGeometry.blockPositionCount
        let longest = ((positions.max() ?? 1) + blockPositions - 1) / blockPositions * geometry.blockByteCount
        let cache = try AttentionBenchmark.cache(byteCount: max(weightMib << 20, longest), context: widest)
        for count in positions {
            for rowCount in attentionRows.values where rowCount <= count {
                Progress.say("attention of \(rowCount) rows over \(count) positions")
                for loop in loops {
                    let benchmark = try AttentionBenchmark(
                        geometry: geometry, positionCount: count, rowCount: rowCount, cache: cache,
                        context: loop.context)
                    var (reads, products) = (PairedSamples(), PairedSamples())
                    for _ in 0..<rounds {
                        let (read, peak) = (loop.readRate(), loop.multiplyRate(.float))
                        let rates = benchmark.rates(secondsWanted: Self.secondsWanted)
                        reads.add(read, rates.bytesPerSecond)
                        products.add(peak, rates.multiplyAddsPerSecond)
                    }
                    report.attention.append(
                        .init(
                            positions: count, rows: rowCount, threads: loop.context.threadCount,
                            readBytesPerSecond: reads.limit, bytesPerSecond: reads.value, shareOfRead: reads.share,
                            peakMultiplyAddsPerSecond: products.limit, multiplyAddsPerSecond: products.value,
                            shareOfPeak: products.share))
                }
            }
        }
    }
}
