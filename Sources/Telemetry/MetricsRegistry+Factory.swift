public import CoreMetrics

/// What swift-metrics needs: libraries that count through it are counted here.
///
/// Timers become histograms in seconds, recorders that aggregate histograms of counts, other recorders and
/// meters gauges.
extension MetricsRegistry: MetricsFactory {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        CounterAdapter(counter(label, labels: dimensions))
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        CounterAdapter(counter(label, labels: dimensions))
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        GaugeAdapter(gauge(label, labels: dimensions))
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return GaugeAdapter(gauge(label, labels: dimensions)) }
        return HistogramAdapter(histogram(label, labels: dimensions, bounds: MetricHistogram.countBounds))
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        HistogramAdapter(histogram(label, labels: dimensions))
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func destroy(_ handler: AnyObject) {
        switch handler {
        case let adapter as CounterAdapter: remove(adapter.counter)
        case let adapter as GaugeAdapter: remove(adapter.gauge)
        case let adapter as HistogramAdapter: remove(adapter.histogram)
        default: break
        }
    }
}

private final class CounterAdapter: CounterHandler, FloatingPointCounterHandler {
    let counter: MetricCounter
    init(_ counter: MetricCounter) { self.counter = counter }
    func increment(by amount: Int64) { counter.increment(by: Double(amount)) }
    func increment(by amount: Double) { counter.increment(by: amount) }
    func reset() { counter.reset() }
}

private final class GaugeAdapter: MeterHandler, RecorderHandler {
    let gauge: MetricGauge
    init(_ gauge: MetricGauge) { self.gauge = gauge }
    func set(_ value: Int64) { gauge.set(Double(value)) }
    func set(_ value: Double) { gauge.set(value) }
    func increment(by amount: Double) { gauge.add(amount) }
    func decrement(by amount: Double) { gauge.add(-amount) }
    func record(_ value: Int64) { gauge.set(Double(value)) }
    func record(_ value: Double) { gauge.set(value) }
}

private final class HistogramAdapter: RecorderHandler, TimerHandler {
    let histogram: MetricHistogram
    init(_ histogram: MetricHistogram) { self.histogram = histogram }
    func record(_ value: Int64) { histogram.record(Double(value)) }
    func record(_ value: Double) { histogram.record(value) }
    func recordNanoseconds(_ duration: Int64) { histogram.record(Double(duration) / 1e9) }
}
