public import Logging

/// A swift-log handler of one line a message: time, level, label, message, metadata.
public struct ConsoleLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let usesColour: Bool
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> WallTime

    /// - Parameter write: takes a whole line with its line feed.
    public init(
        label: String, level: Logger.Level, usesColour: Bool, write: @escaping @Sendable (String) -> Void
    ) {
        self.init(label: label, level: level, usesColour: usesColour, write: write, now: WallTime.now)
    }

    package init(
        label: String, level: Logger.Level, usesColour: Bool, write: @escaping @Sendable (String) -> Void,
        now: @escaping @Sendable () -> WallTime
    ) {
        self.label = label
        self.logLevel = level
        self.usesColour = usesColour
        self.write = write
        self.now = now
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        let line = LogLine(
            time: now(), level: event.level, label: label, message: event.message.description, metadata: all)
        write(line.text(usesColour: usesColour))
    }
}
