import Foundation

extension LoadReport: Encodable {
    /// The report as one JSON object with a line feed after it.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private typealias Container = KeyedEncodingContainer<Key>

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try encodePlan(to: &container)
        try container.encode(seconds, forKey: Key("duration"))
        try container.encode(succeededCount, forKey: Key("completed"))
        try container.encode(failedCount, forKey: Key("failed"))
        try container.encode(failures, forKey: Key("errors"))
        try container.encode(disconnectedCount, forKey: Key("disconnected"))
        try container.encode(disconnectedOutputTokenCount, forKey: Key("disconnected_output_tokens"))
        try container.encode(concurrencyPeak, forKey: Key("max_concurrent_requests"))
        try container.encode(promptTokenCount, forKey: Key("total_input_tokens"))
        try container.encode(cachedTokenCount, forKey: Key("total_cached_input_tokens"))
        try container.encode(outputTokenCount, forKey: Key("total_output_tokens"))
        try container.encode(requestThroughput, forKey: Key("request_throughput"))
        try container.encode(promptThroughput, forKey: Key("input_throughput"))
        try container.encode(outputThroughput, forKey: Key("output_throughput"))
        try container.encode(totalThroughput, forKey: Key("total_token_throughput"))
        for (name, latency) in latencies { try encode(latency, name, to: &container) }
        if plan.isOpenLoop {
            try container.encode(blockedCount, forKey: Key("blocked_requests"))
            try encode(sendDelay, "send_delay", to: &container)
        }
        try encodeParts(to: &container)
    }

    private func encodePlan(to container: inout Container) throws {
        try container.encode(plan.model, forKey: Key("model_id"))
        try container.encode(plan.endpoint.rawValue, forKey: Key("endpoint"))
        try container.encode(plan.requestCountMax, forKey: Key("num_prompts"))
        try container.encode(plan.concurrencyMax, forKey: Key("max_concurrency"))
        switch plan.arrivals {
        case .closed: try container.encode("inf", forKey: Key("request_rate"))
        case .poisson(let rate): try container.encode(rate, forKey: Key("request_rate"))
        case .trace: try container.encode("trace", forKey: Key("request_rate"))
        }
        if let size = plan.staticBatchSize { try container.encode(size, forKey: Key("static_batch_size")) }
        if !plan.trace.isEmpty {
            try container.encode(plan.timeScale, forKey: Key("time_scale"))
            try container.encode(plan.lengthScale, forKey: Key("length_scale"))
        }
        try container.encode(plan.seed, forKey: Key("seed"))
    }

    private func encodeParts(to container: inout Container) throws {
        if plan.conversation != nil { try encode(turns, named: "turns", to: &container) }
        var list = container.nestedUnkeyedContainer(forKey: Key("phases"))
        for phase in phases {
            var item = list.nestedContainer(keyedBy: Key.self)
            try item.encode(phase.phase.name, forKey: Key("phase"))
            try item.encode(phase.seconds, forKey: Key("duration"))
            try item.encode(phase.outputTokenCount, forKey: Key("output_tokens"))
            try item.encode(phase.outputThroughput, forKey: Key("output_throughput"))
            try encode(phase.timeToFirstToken, "ttft", to: &item)
            try encode(phase.interTokenLatency, "itl", to: &item)
        }
        if !injections.isEmpty { try encodeInjections(to: &container) }
        if let clientUsage {
            try container.encode(clientUsage.cpuSeconds, forKey: Key("client_cpu_seconds"))
            try container.encode(clientMicrosecondsPerToken, forKey: Key("client_cpu_us_per_output_token"))
            try container.encode(clientUsage.memoryByteCountMax, forKey: Key("client_memory_bytes_max"))
        }
        if let verification {
            var item = container.nestedContainer(keyedBy: Key.self, forKey: Key("verification"))
            try item.encode(verification.equalCount, forKey: Key("equal"))
            try item.encode(verification.equalPrefixCount, forKey: Key("equal_until_disconnect"))
            try item.encode(verification.mismatchCount, forKey: Key("mismatched"))
            try item.encode(verification.unknownCount, forKey: Key("not_in_reference"))
            try item.encode(verification.mismatches, forKey: Key("mismatches"))
        }
        try container.encode(wasServerGone, forKey: Key("server_gone"))
    }

    private func encode(_ turns: [Latency], named name: String, to container: inout Container) throws {
        var list = container.nestedUnkeyedContainer(forKey: Key(name))
        for (index, latency) in turns.enumerated() {
            var item = list.nestedContainer(keyedBy: Key.self)
            try item.encode(index + 1, forKey: Key("turn"))
            try encode(latency, "ttft", to: &item)
        }
    }

    private func encodeInjections(to container: inout Container) throws {
        var list = container.nestedUnkeyedContainer(forKey: Key("injections"))
        for injection in injections {
            var item = list.nestedContainer(keyedBy: Key.self)
            try item.encode(injection.plan.description, forKey: Key("injection"))
            try item.encode(injection.promptTokenCount, forKey: Key("input_tokens"))
            try item.encode(injection.timeToFirstToken, forKey: Key("ttft_ms"))
            try item.encode(injection.endToEndLatency, forKey: Key("e2el_ms"))
            try item.encode(injection.failure, forKey: Key("error"))
        }
    }

    private func encode(_ latency: Latency, _ name: String, to container: inout Container) throws {
        try container.encode(latency.mean, forKey: Key("mean_\(name)_ms"))
        try container.encode(latency.median, forKey: Key("median_\(name)_ms"))
        try container.encode(latency.p90, forKey: Key("p90_\(name)_ms"))
        try container.encode(latency.p99, forKey: Key("p99_\(name)_ms"))
        try container.encode(latency.max, forKey: Key("max_\(name)_ms"))
    }

    private var latencies: [(name: String, latency: Latency)] {
        [
            ("ttft", timeToFirstToken), ("tpot", timePerOutputToken), ("itl", interTokenLatency),
            ("e2el", endToEndLatency),
        ]
    }
}
