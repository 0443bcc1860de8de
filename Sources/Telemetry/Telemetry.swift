public import Logging
import Metrics
import Synchronization

/// What a process does once at its start, so that everything after it is heard and counted.
public enum Telemetry {
    private struct State {
        var level = Logger.Level.info
        var isBootstrapped = false
    }

    private static let state = Mutex(State())

    /// The registry that swift-metrics reports to after `bootstrap`, and that `/metrics` shows.
    public static let metrics = MetricsRegistry()

    /// Sends all logs to stderr from `level` on, and all metrics to `metrics`.
    ///
    /// A later call only changes the level that loggers made from then on start with.
    public static func bootstrap(level: Logger.Level = .info) {
        let isFirst = state.withLock { state in
            state.level = level
            defer { state.isBootstrapped = true }
            return !state.isBootstrapped
        }
        guard isFirst else { return }
        let usesColour = StandardError.showsColour
        LoggingSystem.bootstrap { label in
            ConsoleLogHandler(
                label: label, level: Telemetry.state.withLock { $0.level }, usesColour: usesColour,
                write: StandardError.write)
        }
        MetricsSystem.bootstrap(metrics)
    }

    /// The level called `name` ("trace" to "critical", in any case; "warn" is "warning"), nil when there is none.
    public static func level(named name: String) -> Logger.Level? {
        let lowercased = name.lowercased()
        return Logger.Level(rawValue: lowercased == "warn" ? "warning" : lowercased)
    }

    /// The names that `level(named:)` knows, for help texts and errors.
    public static let levelNames = Logger.Level.allCases.map(\.rawValue)
}
