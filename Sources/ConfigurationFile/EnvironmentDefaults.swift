/// Gives every flag of a program a twin in the environment: `--max-concurrency 8` may be written
/// `SHARDLINE_MAX_CONCURRENCY=8`. What stands on the command line wins.
///
/// The twins are turned into arguments before any parser sees them, so this works with every argument parser,
/// checks and error messages included:
///
///     let twins = EnvironmentDefaults([.option("model", short: "m"), .toggle("ignore-eos")])
///     let arguments = try twins.merge(into: Array(CommandLine.arguments.dropFirst()), environment: environment)
public struct EnvironmentDefaults: Sendable {
    /// A long flag without its dashes.
    public struct Flag: Sendable, Hashable {
        public var name: String
        public var short: Character?
        public var takesValue: Bool

        /// A flag that is followed by a value.
        public static func option(_ name: String, short: Character? = nil) -> Flag {
            Flag(name: name, short: short, takesValue: true)
        }

        /// A flag that stands alone; `--no-NAME` on the command line counts as given, too.
        public static func toggle(_ name: String, short: Character? = nil) -> Flag {
            Flag(name: name, short: short, takesValue: false)
        }

        /// The twin's name: `SHARDLINE_` and the flag's in capitals with underscores.
        public var variable: String {
            EnvironmentDefaults.prefix + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        }
    }

    /// A twin that cannot be understood; a mistake in usage (exit code 64).
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var variable: String
        public var value: String
        public var description: String {
            "\(variable) is '\(ConfigurationValue.shortened(value))'; "
                + "it must be 1, true, yes or on, or 0, false, no, off or empty"
        }
    }

    public static let prefix = "SHARDLINE_"

    public var flags: [Flag]

    public init(_ flags: [Flag]) { self.flags = flags }

    /// `arguments` (without the program's name) with what the environment adds: before a `--`, else at the end,
    /// so that they belong to the same subcommand. A variable set to the empty text counts as not set.
    public func merge(
        into arguments: [String], environment: [String: String]
    ) throws(Failure) -> [String] {
        let terminator = arguments.firstIndex(of: "--") ?? arguments.endIndex
        let own = arguments[..<terminator]
        var added: [String] = []
        for flag in flags where !isGiven(flag, in: own) {
            guard let value = environment[flag.variable], !value.isEmpty else { continue }
            if flag.takesValue {
                // With "=", a value may start with a dash.
                added.append("--\(flag.name)=\(value)")
            } else if try isOn(value, variable: flag.variable) {
                added.append("--\(flag.name)")
            }
        }
        return own + added + arguments[terminator...]
    }

    /// For the end of a help text: how it works, and the names.
    public var helpText: String {
        let names = flags.map { "--\($0.name)  \($0.variable)" }.joined(separator: "\n")
        return "Each flag has a twin in the environment, which holds unless the flag is given; "
            + "a flag without a value is on when its twin is 1, true, yes or on:\n\n\(names)"
    }

    /// `text` with the twin's name in brackets, for the help of one flag.
    public static func help(_ text: String, _ flag: String) -> String {
        "\(text) [\(Flag.option(flag).variable)]"
    }

    private func isGiven(_ flag: Flag, in arguments: ArraySlice<String>) -> Bool {
        arguments.contains { argument in
            if argument == "--\(flag.name)" || argument.hasPrefix("--\(flag.name)=") { return true }
            if !flag.takesValue, argument == "--no-\(flag.name)" { return true }
            guard let short = flag.short, argument.hasPrefix("-"), !argument.hasPrefix("--") else { return false }
            return argument.dropFirst().first == short
        }
    }

    private func isOn(_ value: String, variable: String) throws(Failure) -> Bool {
        switch value.lowercased() {
        case "1", "true", "yes", "on": true
        case "0", "false", "no", "off": false
        default: throw Failure(variable: variable, value: value)
        }
    }
}
