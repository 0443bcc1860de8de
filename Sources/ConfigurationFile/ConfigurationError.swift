/// What is wrong with a configuration: where, which key, and what to do about it.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// As it was given.
    public var path: String
    /// From 1; nil when the whole file is meant.
    public var line: Int?
    /// From 1.
    public var column: Int?
    /// The way to the value, such as `nodes[0].threads`; empty for the file itself.
    public var keyPath: String
    public var message: String

    public init(path: String, line: Int? = nil, column: Int? = nil, keyPath: String = "", message: String) {
        self.path = path
        self.line = line
        self.column = column
        self.keyPath = keyPath
        self.message = message
    }

    /// `cluster.yaml:12:5: nodes[0].threads: ...`, the form that editors jump to.
    public var description: String {
        var text = path
        if let line { text += ":\(line)" }
        if let line = column, self.line != nil { text += ":\(line)" }
        text += ": "
        if !keyPath.isEmpty { text += "\(keyPath): " }
        return text + message
    }
}
