import Telemetry

/// What is counted of each model, in vLLM's words.
struct ModelCounters: Sendable {
    let promptTokens: MetricCounter
    let generationTokens: MetricCounter
    let cacheQueries: MetricCounter
    let cacheHits: MetricCounter

    init(model: String) {
        func counter(_ name: String, _ help: String) -> MetricCounter {
            Telemetry.metrics.counter(name, help: help, labels: [("model_name", model)])
        }
        promptTokens = counter("prompt_tokens_total", "Prompt tokens of requests that have begun to answer.")
        generationTokens = counter("generation_tokens_total", "Tokens generated.")
        cacheQueries = counter("prefix_cache_queries_total", "Prompt tokens of finished requests.")
        cacheHits = counter(
            "prefix_cache_hits_total", "Those of them whose keys and values were in the cache.")
    }
}
