import Metrics
import Telemetry
import Testing

@Suite struct MetricsRegistryTests {
    @Test func writesPrometheusText() {
        let registry = MetricsRegistry()
        registry.counter("prompt_tokens_total", help: "Prompt tokens.\nAll of them: \\").increment(by: 12)
        registry.gauge("num_requests_running", labels: [("model", "a\"b\\c\nd")]).set(1.5)
        registry.gauge("shardline_num_requests_running", labels: [("model", "x")]).set(2)
        let histogram = registry.histogram("ttft_seconds", labels: [("model", "x")], bounds: [1, 0.5, 2])
        for value in [0.5, 0.6, 2, 3] { histogram.record(value) }
        #expect(
            registry.prometheusText() == #"""
                # TYPE shardline_num_requests_running gauge
                shardline_num_requests_running{model="a\"b\\c\nd"} 1.5
                shardline_num_requests_running{model="x"} 2
                # HELP shardline_prompt_tokens_total Prompt tokens.\nAll of them: \\
                # TYPE shardline_prompt_tokens_total counter
                shardline_prompt_tokens_total 12
                # TYPE shardline_ttft_seconds histogram
                shardline_ttft_seconds_bucket{model="x",le="0.5"} 1
                shardline_ttft_seconds_bucket{model="x",le="1"} 2
                shardline_ttft_seconds_bucket{model="x",le="2"} 3
                shardline_ttft_seconds_bucket{model="x",le="+Inf"} 4
                shardline_ttft_seconds_sum{model="x"} 6.1
                shardline_ttft_seconds_count{model="x"} 4

                """#)
    }

    @Test func theSameNameAndLabelsAreTheSameMetric() {
        let registry = MetricsRegistry()
        registry.counter("a", labels: [("x", "1"), ("y", "2")]).increment()
        let again = registry.counter("a", labels: [("y", "2"), ("x", "1")])
        again.increment(by: 2)
        #expect(again.value == 3)
    }

    @Test func namesAreMadeValid() {
        let registry = MetricsRegistry()
        registry.counter("http.requests-total é", labels: [("0label", "v"), ("bad-name", "w")]).increment()
        #expect(
            registry.prometheusText().contains(#"shardline_http_requests_total___{_0label="v",bad_name="w"} 1"#),
            "\(registry.prometheusText())")
    }

    @Test func anotherKindGetsAnotherName() {
        let registry = MetricsRegistry()
        registry.counter("a").increment()
        registry.gauge("a").set(7)
        #expect(registry.prometheusText().contains("shardline_a 1\n"))
        #expect(registry.prometheusText().contains("shardline_a_gauge 7\n"))
    }

    @Test func labelsFromOutsideCannotFillTheMemory() {
        let registry = MetricsRegistry()
        for index in 0..<(MetricsRegistry.seriesCountMax + 500) {
            registry.counter("paths", labels: [("path", "\(index)")]).increment()
        }
        let lines = registry.prometheusText().split(separator: "\n")
        #expect(lines.count == MetricsRegistry.seriesCountMax + 2)
        #expect(lines.contains(#"shardline_paths{overflow="true"} 500"#))
    }

    @Test func countersNeverFall() {
        let counter = MetricsRegistry().counter("a")
        counter.increment(by: 5)
        counter.increment(by: -3)
        counter.increment(by: Double.nan)
        counter.increment(by: Double.infinity)
        #expect(counter.value == 5)
    }

    @Test func manyThreadsLoseNothing() async {
        let registry = MetricsRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        registry.counter("a").increment()
                        registry.histogram("h").record(0.001)
                    }
                }
            }
        }
        #expect(registry.counter("a").value == 80_000)
        #expect(registry.prometheusText().contains("shardline_h_count 80000\n"))
    }

    @Test func servesSwiftMetrics() {
        let registry = MetricsRegistry()
        let counter = Counter(label: "c", dimensions: [("a", "b")], factory: registry)
        counter.increment(by: 3)
        FloatingPointCounter(label: "f", factory: registry).increment(by: 0.25)
        Gauge(label: "g", factory: registry).record(4)
        Recorder(label: "r", factory: registry).record(17)
        Timer(label: "t_seconds", factory: registry).recordMilliseconds(250)
        let meter = Meter(label: "m", factory: registry)
        meter.set(5)
        meter.decrement(by: 2)
        let text = registry.prometheusText()
        for line in [
            #"shardline_c{a="b"} 3"#, "shardline_f 0.25", "shardline_g 4", #"shardline_r_bucket{le="64"} 1"#,
            #"shardline_t_seconds_bucket{le="0.25"} 1"#, "shardline_t_seconds_sum 0.25", "shardline_m 3",
        ] {
            #expect(text.contains(line + "\n"), "\(line) in \(text)")
        }
        counter.destroy()
        #expect(!registry.prometheusText().contains("shardline_c"))
    }
}
