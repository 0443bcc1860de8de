import Telemetry

extension LoadReport {
    /// The report as a table for people.
    public func text() -> String {
        var text = heading("Serving benchmark result", fill: "=")
        text += row("Successful requests:", "\(succeededCount)")
        text += row("Failed requests:", "\(failedCount)")
        if plan.disconnectShare > 0 {
            text += row("Disconnected by this client:", "\(disconnectedCount)")
            text += row("Their generated tokens:", "\(disconnectedOutputTokenCount)")
        }
        text += loadRows
        text += row("Benchmark duration (s):", number(seconds))
        text += row("Total input tokens:", "\(promptTokenCount)")
        if let cachedTokenCount { text += row("Of these in the prefix cache:", "\(cachedTokenCount)") }
        text += row("Total generated tokens:", "\(outputTokenCount)")
        text += row("Request throughput (req/s):", number(requestThroughput))
        text += row("Input token throughput (tok/s):", number(promptThroughput))
        text += row("Output token throughput (tok/s):", number(outputThroughput))
        text += row("Total token throughput (tok/s):", number(totalThroughput))
        text += table("Time to first token", "TTFT", timeToFirstToken)
        text += table("Time per output token (without the first)", "TPOT", timePerOutputToken)
        text += table("Inter-token latency", "ITL", interTokenLatency)
        text += table("End-to-end latency", "E2EL", endToEndLatency)
        if plan.conversation != nil {
            for (index, turn) in turns.enumerated() { text += table("Turn \(index + 1)", "TTFT", turn) }
        }
        if phases.count > 1 { for phase in phases { text += section(phase) } }
        for injection in injections { text += section(injection) }
        text += clientSection
        if let verification { text += section(verification) }
        if !failures.isEmpty {
            text += heading("Failures", fill: "-")
            for (reason, count) in failures.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
                text += "\(count) x \(reason)\n"
            }
        }
        if wasServerGone { text += "The run ended early: nothing listens at the server's address any more.\n" }
        return text + String(repeating: "=", count: Self.width) + "\n"
    }

    private static let width = 56

    private var loadRows: String {
        var text = ""
        if let limit = plan.concurrencyMax { text += row("Maximum request concurrency:", "\(limit)") }
        text += row("Peak request concurrency:", "\(concurrencyPeak)")
        if let size = plan.staticBatchSize { text += row("Static batches of at most:", "\(size)") }
        switch plan.arrivals {
        case .closed: break
        case .poisson(let rate): text += row("Request rate (req/s):", number(rate))
        case .trace: text += row("Arrivals:", "trace, times x \(number(plan.timeScale))")
        }
        guard plan.isOpenLoop else { return text }
        text += row("P99 send delay (ms):", number(sendDelay.p99)) + row("Max send delay (ms):", number(sendDelay.max))
        if blockedCount > 0 {
            text += row("Requests held up by the concurrency limit:", "\(blockedCount)")
        }
        return text
    }

    private var clientSection: String {
        guard let clientUsage else { return "" }
        return heading("This program's own share", fill: "-")
            + row("CPU time (s):", number(clientUsage.cpuSeconds))
            + row("Cores used (mean):", number(seconds > 0 ? clientUsage.cpuSeconds / seconds : nil))
            + row("CPU time per output token (us):", number(clientMicrosecondsPerToken))
            + row("Peak memory (MiB):", number(Double(clientUsage.memoryByteCountMax) / 1_048_576))
    }

    private func section(_ phase: Phase) -> String {
        heading(phase.phase.title, fill: "-") + row("Duration (s):", number(phase.seconds))
            + row("Output token throughput (tok/s):", number(phase.outputThroughput))
            + pair("Median / P99 TTFT (ms):", phase.timeToFirstToken)
            + pair("Median / P99 ITL (ms):", phase.interTokenLatency)
            + row("Max ITL (ms):", number(phase.interTokenLatency.max))
    }

    private func section(_ injection: Injection) -> String {
        let text = heading("Injected prompt \(injection.plan)", fill: "-")
        if let failure = injection.failure { return text + "Failed: \(failure)\n" }
        return text + row("Input tokens:", injection.promptTokenCount.map { "\($0)" } ?? "-")
            + row("TTFT (ms):", number(injection.timeToFirstToken))
            + row("E2EL (ms):", number(injection.endToEndLatency))
    }

    private func section(_ verification: Verification) -> String {
        var text = heading("Comparison with the reference run", fill: "-")
        text += row("Equal answers:", "\(verification.equalCount)")
        if plan.disconnectShare > 0 {
            text += row("Equal until the client left:", "\(verification.equalPrefixCount)")
        }
        text += row("Other answers:", "\(verification.mismatchCount)")
        if let reason = verification.firstUnknown {
            text += row("Without a reference:", "\(verification.unknownCount)") + "First: \(reason)\n"
        }
        for mismatch in verification.mismatches { text += "\(mismatch)\n" }
        let hiddenCount = verification.mismatchCount - verification.mismatches.count
        return hiddenCount > 0 ? text + "and \(hiddenCount) more\n" : text
    }

    private func table(_ title: String, _ name: String, _ latency: Latency) -> String {
        heading(title, fill: "-") + rows(name, latency)
    }

    private func rows(_ name: String, _ latency: Latency) -> String {
        row("Mean \(name) (ms):", number(latency.mean)) + row("Median \(name) (ms):", number(latency.median))
            + row("P90 \(name) (ms):", number(latency.p90)) + row("P99 \(name) (ms):", number(latency.p99))
            + row("Max \(name) (ms):", number(latency.max))
    }

    private func pair(_ label: String, _ latency: Latency) -> String {
        row(label, "\(number(latency.median)) / \(number(latency.p99))")
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
