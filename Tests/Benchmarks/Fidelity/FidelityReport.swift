/// What `shardline-bench error` found.
struct FidelityReport: Encodable {
    struct Line: Encodable {
        var model: String
        /// Of the matrices, the most frequent first.
        var formats: [String]
        var positions: Int
        /// Of the natural log-probability of the reference's top token.
        var meanError: Double
        var percentile99Error: Double
        /// How often both have the same top token.
        var sameTopShare: Double
        /// Of the logits.
        var relativeError: Double
    }

    var machine = MachineDescription()
    var lines: [Line] = []

    var text: String {
        var table = Table(
            "Against a run of the same weights as F32, over the same tokens: absolute error of the log-probability of "
                + "the reference's top token, share of positions with the same top token, relative RMS error of the "
                + "logits",
            columns: ["model", "formats", "positions", "mean", "99 %", "same top", "logits"])
        for line in lines {
            table.add([
                line.model, line.formats.joined(separator: " "), "\(line.positions)", Decimals.text(line.meanError, 4),
                Decimals.text(line.percentile99Error, 4), "\(Decimals.text(100 * line.sameTopShare, 1)) %",
                Decimals.text(line.relativeError, 4),
            ])
        }
        return table.text
    }
}
