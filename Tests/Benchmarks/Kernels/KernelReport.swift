import Tensors

/// What `shardline-bench kernels` found.
struct KernelReport: Encodable {
    /// One row of activations with weights of one format.
    struct Decode: Encodable {
        var format: String
        var threads: Int
        var readBytesPerSecond: Double
        var bytesPerSecond: Double
        /// Median of the rounds' ratios.
        var shareOfRead: Double
    }

    /// Several rows.
    struct Product: Encodable {
        var format: String
        var threads: Int
        var rows: Int
        var arithmetic: MachineLoops.Arithmetic
        var peakMultiplyAddsPerSecond: Double
        var multiplyAddsPerSecond: Double
        var shareOfPeak: Double
    }

    struct Attention: Encodable {
        var positions: Int
        var rows: Int
        var threads: Int
        var readBytesPerSecond: Double
        /// Keys and values, counted once for all rows.
        var bytesPerSecond: Double
        var shareOfRead: Double
        var peakMultiplyAddsPerSecond: Double
        var multiplyAddsPerSecond: Double
        var shareOfPeak: Double
    }

    var machine: MachineDescription
    var instructionSet: String
    var decode: [Decode] = []
    var products: [Product] = []
    var attention: [Attention] = []

    var text: String {
        [machine.text + "\nkernels: \(instructionSet)\n", decodeTable, productTable, attentionTable]
            .filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var decodeTable: String {
        var table = Table(
            "One row: weights out of memory, GB/s of file bytes",
            columns: ["format", "threads", "read loop", "product", "share"])
        for line in decode {
            table.add([
                line.format, "\(line.threads)", Decimals.short(line.readBytesPerSecond / 1e9),
                Decimals.short(line.bytesPerSecond / 1e9), Decimals.percent(line.shareOfRead),
            ])
        }
        return table.isEmpty ? "" : table.text
    }

    private var productTable: String {
        let rowCounts = Set(products.map(\.rows)).sorted()
        var table = Table(
            "Several rows: GMAC/s and share of the peak loop beside it",
            columns: ["format", "threads", "peak loop"] + rowCounts.map { "\($0) rows" })
        var seen: Set<String> = []
        for line in products where seen.insert("\(line.format) \(line.threads)").inserted {
            let own = products.filter { $0.format == line.format && $0.threads == line.threads }
            let peak = Statistics.median(own.map(\.peakMultiplyAddsPerSecond))
            table.add(
                [line.format, "\(line.threads)", Decimals.short(peak / 1e9)]
                    + rowCounts.map { rows in
                        guard let found = own.first(where: { $0.rows == rows }) else { return "" }
                        let rate = Decimals.short(found.multiplyAddsPerSecond / 1e9)
                        return "\(rate) (\(Decimals.percent(found.shareOfPeak)))"
                    })
        }
        return table.isEmpty ? "" : table.text
    }

    private var attentionTable: String {
        var table = Table(
            "Attention: GB/s of keys and values, counted once, and GMAC/s, with shares of the loops beside them",
            columns: ["positions", "rows", "threads", "read loop", "keys and values", "peak loop", "products"])
        for line in attention {
            table.add([
                "\(line.positions)", "\(line.rows)", "\(line.threads)",
                Decimals.short(line.readBytesPerSecond / 1e9),
                "\(Decimals.short(line.bytesPerSecond / 1e9)) (\(Decimals.percent(line.shareOfRead)))",
                Decimals.short(line.peakMultiplyAddsPerSecond / 1e9),
                "\(Decimals.short(line.multiplyAddsPerSecond / 1e9)) (\(Decimals.percent(line.shareOfPeak)))",
            ])
        }
        return table.isEmpty ? "" : table.text
    }
}
