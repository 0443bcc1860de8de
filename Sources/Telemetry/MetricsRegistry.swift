import Synchronization

/// All metrics of a process by name and labels. Asking twice for the same one gives the same object.
///
/// Names get the prefix `shardline_` if they lack it; characters that Prometheus does not allow become `_`.
/// A family (one name) takes at most `seriesCountMax` combinations of labels; what comes after them is counted
/// together under the label `overflow="true"`, so that label values from outside cannot fill the memory.
public final class MetricsRegistry: Sendable {
    public static let seriesCountMax = 2000

    package enum Series: Sendable {
        case counter(MetricCounter)
        case gauge(MetricGauge)
        case histogram(MetricHistogram)

        var kind: Kind {
            switch self {
            case .counter: .counter
            case .gauge: .gauge
            case .histogram: .histogram
            }
        }

        var object: AnyObject {
            switch self {
            case .counter(let metric): metric
            case .gauge(let metric): metric
            case .histogram(let metric): metric
            }
        }
    }

    package enum Kind: String, Sendable { case counter, gauge, histogram }

    package struct Family: Sendable {
        package var kind: Kind
        package var help: String
        /// By the text of their labels, as it stands between the braces.
        package var series: [String: Series] = [:]
    }

    private let families = Mutex<[String: Family]>([:])
    private let prefix: String

    public init(prefix: String = "shardline_") { self.prefix = prefix }

    /// A name used before for another kind of metric gets the kind as a suffix.
    public func counter(
        _ name: String, help: String = "", labels: [(String, String)] = []
    ) -> MetricCounter {
        let series = series(name, kind: .counter, help: help, labels: labels) { .counter(MetricCounter()) }
        guard case .counter(let counter) = series else { return MetricCounter() }
        return counter
    }

    /// A name used before for another kind of metric gets the kind as a suffix.
    public func gauge(_ name: String, help: String = "", labels: [(String, String)] = []) -> MetricGauge {
        let series = series(name, kind: .gauge, help: help, labels: labels) { .gauge(MetricGauge()) }
        guard case .gauge(let gauge) = series else { return MetricGauge() }
        return gauge
    }

    /// A name used before for another kind of metric gets the kind as a suffix.
    /// - Parameter bounds: of the ranges; those of the first call for these labels hold.
    public func histogram(
        _ name: String, help: String = "", labels: [(String, String)] = [],
        bounds: [Double] = MetricHistogram.secondsBounds
    ) -> MetricHistogram {
        let series = series(name, kind: .histogram, help: help, labels: labels) {
            .histogram(MetricHistogram(bounds: bounds))
        }
        guard case .histogram(let histogram) = series else { return MetricHistogram(bounds: bounds) }
        return histogram
    }

    /// The whole registry in Prometheus' text format 0.0.4, in the order of names and labels.
    public func prometheusText() -> String {
        PrometheusText.text(of: families.withLock { $0 })
    }

    /// Forgets one metric; whoever still holds it changes nothing visible any more.
    func remove(_ object: AnyObject) {
        families.withLock { families in
            for (name, family) in families {
                guard let labels = family.series.first(where: { $0.value.object === object })?.key else { continue }
                families[name]?.series[labels] = nil
                if families[name]?.series.isEmpty == true { families[name] = nil }
                return
            }
        }
    }

    private func series(
        _ name: String, kind: Kind, help: String, labels: [(String, String)], make: () -> Series
    ) -> Series {
        let wanted = PrometheusText.metricName(name, prefix: prefix)
        return families.withLock { families in
            var name = wanted
            while let family = families[name], family.kind != kind { name += "_\(kind.rawValue)" }
            var family = families[name] ?? Family(kind: kind, help: help)
            if family.help.isEmpty { family.help = help }
            var key = PrometheusText.labelText(labels)
            if family.series[key] == nil, family.series.count >= Self.seriesCountMax {
                key = PrometheusText.labelText([("overflow", "true")])
            }
            let series = family.series[key] ?? make()
            family.series[key] = series
            families[name] = family
            return series
        }
    }
}
