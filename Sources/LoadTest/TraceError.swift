/// Why a trace cannot be read, with the line at fault.
public struct TraceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1, the header's.
    public var line: Int
    public var message: String

    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    public var description: String { "line \(line): \(message)" }
}
