import Telemetry

extension LoadReport {
    /// The report as a table for people.
    public func text() -> String {
        var text = heading("Serving benchmark result", fill: "=")
        text += row("Successful requests:", "\(succeededCount)")
        text += row("Failed requests:", "\(failedCount)")
        if let limit = plan.concurrencyMax { text += row("Maximum request concurrency:", "\(limit)") }
        if plan.requestRate.isFinite { text += row("Request rate (req/s):", number(plan.requestRate)) }
        text += row("Benchmark duration (s):", number(seconds))
        text += row("Total input tokens:", "\(promptTokenCount)")
        text += row("Total generated tokens:", "\(outputTokenCount)")
        text += row("Request throughput (req/s):", number(requestThroughput))
        text += row("Output token throughput (tok/s):", number(outputThroughput))
        text += row("Total token throughput (tok/s):", number(totalThroughput))
        text += table("Time to first token", "TTFT", timeToFirstToken)
        text += table("Time per output token (without the first)", "TPOT", timePerOutputToken)
        text += table("Inter-token latency", "ITL", interTokenLatency)
        text += table("End-to-end latency", "E2EL", endToEndLatency)
        if !failures.isEmpty {
            text += heading("Failures", fill: "-")
            for (reason, count) in failures.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
                text += "\(count) x \(reason)\n"
            }
        }
        return text + String(repeating: "=", count: Self.width) + "\n"
    }

    private static let width = 56

    private func table(_ title: String, _ name: String, _ latency: Latency) -> String {
        heading(title, fill: "-") + row("Mean \(name) (ms):", number(latency.mean))
            + row("Median \(name) (ms):", number(latency.median)) + row("P99 \(name) (ms):", number(latency.p99))
    }

    private func heading(_ title: String, fill: Character) -> String {
        let rest = max(0, Self.width - title.count - 2)
        let left = String(repeating: fill, count: rest / 2)
        return "\(left) \(title) \(String(repeating: fill, count: rest - rest / 2))\n"
    }

    private func row(_ label: String, _ value: String) -> String {
        label + String(repeating: " ", count: max(1, Self.width - label.count - value.count)) + value + "\n"
    }

    private func number(_ value: Double?) -> String {
        value.map { FixedPoint.text($0, fractionDigits: 2) } ?? "-"
    }
}
