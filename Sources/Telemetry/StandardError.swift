#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The process's stderr: whole lines only, so that processes which share one do not mix theirs.
public enum StandardError {
    /// Whether stderr is a terminal: progress bars and colours go nowhere else.
    public static let isTerminal = isatty(STDERR_FILENO) == 1

    /// Whether colours are wanted: on a terminal that knows them, unless `NO_COLOR` is set (https://no-color.org).
    public static let showsColour = isTerminal && !isSet("NO_COLOR") && value("TERM") != "dumb"

    /// Whether stdout is a terminal that wants colours.
    public static let standardOutputShowsColour =
        isatty(STDOUT_FILENO) == 1 && !isSet("NO_COLOR") && value("TERM") != "dumb"

    /// Writes `text` as it is, in one system call where the kernel takes it; what cannot be written is lost.
    public static func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let base = rest.baseAddress, !rest.isEmpty {
                #if canImport(Glibc)
                let written = Glibc.write(STDERR_FILENO, base, rest.count)
                #elseif canImport(Musl)
                let written = Musl.write(STDERR_FILENO, base, rest.count)
                #else
                let written = Darwin.write(STDERR_FILENO, base, rest.count)
                #endif
                if written < 0 {
                    guard errno == EINTR else { return }
                    continue
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
        }
    }

    private static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    private static func isSet(_ name: String) -> Bool {
        value(name).map { !$0.isEmpty } ?? false
    }
}
