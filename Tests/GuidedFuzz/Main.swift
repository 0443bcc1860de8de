import CLibFuzzer
import Glibc
import Synchronization
import Wire

/// `shardline-fuzz-guided TARGET [libFuzzer's options and corpora]`; `shardline-fuzz-guided TARGET --seeds FOLDER`
/// writes the inputs to start from; `shardline-fuzz-guided --targets` lists the targets.
///
/// Feeds a parser what leads to code that was not run before. tools/fuzz builds it, with the instrumentation for that
/// and AddressSanitizer.
@main
enum Main {
    private static let targets: [(name: String, run: Callback, seeds: @Sendable () throws -> [[UInt8]])] = [
        (
            "frames",
            { bytes, count in
                FrameTarget.shared.run(UnsafeRawBufferPointer(start: bytes, count: count))
                return 0
            },
            { try Seeds.frames() }
        ),
        (
            "messages",
            { bytes, count in
                MessageTarget.shared.run(UnsafeRawBufferPointer(start: bytes, count: count))
                return 0
            },
            { try Seeds.messages() }
        ),
        (
            "handshake",
            { bytes, count in
                HandshakeTarget.shared.run(UnsafeRawBufferPointer(start: bytes, count: count))
                return 0
            },
            { try Seeds.handshakes() }
        ),
        (
            "identities",
            { bytes, count in
                let input = UnsafeRawBufferPointer(start: bytes, count: count)
                IdentityTarget.shared.run(IdentityTarget.parsing, input)
                return 0
            },
            { try IdentityTarget.shared.seeds(IdentityTarget.parsing) }
        ),
        (
            "signatures",
            { bytes, count in
                let input = UnsafeRawBufferPointer(start: bytes, count: count)
                IdentityTarget.shared.run(IdentityTarget.signing, input)
                return 0
            },
            { try IdentityTarget.shared.seeds(IdentityTarget.signing) }
        ),
    ]

    typealias Callback = @convention(c) @Sendable (UnsafePointer<UInt8>?, Int) -> Int32

    /// `message.NAME` is `messages` for one decoder alone.
    private static let messagePrefix = "message."

    private static let targetVariable = "SHARDLINE_FUZZ_TARGET"

    private static var targetNames: [String] {
        targets.map(\.name) + MessageCatalog.all.map { "\(messagePrefix)\($0)" }
    }

    static func main() throws {
        var arguments = CommandLine.arguments
        // libFuzzer starts this program again to merge, with its own options alone.
        if arguments.count > 1, arguments[1].hasPrefix("-"), let inherited = getenv(targetVariable) {
            arguments.insert(String(cString: inherited), at: 1)
        }
        if arguments.count == 2, arguments[1] == "--targets" { return print(targetNames.joined(separator: "\n")) }
        var name = arguments.count > 1 ? arguments[1] : ""
        setenv(targetVariable, name, 1)
        if name.hasPrefix(messagePrefix),
            let one = MessageTarget.selector(of: String(name.dropFirst(messagePrefix.count)))
        {
            MessageTarget.only.store(Int(one), ordering: .relaxed)
            name = "messages"
        }
        guard let target = targets.first(where: { $0.name == name }) else {
            let names = targets.map(\.name).joined(separator: "|")
            fail(
                "usage: shardline-fuzz-guided \(names)|message.NAME [libFuzzer's options and corpora | --seeds FOLDER]")
        }
        if arguments.count == 4, arguments[2] == "--seeds" {
            return try Seeds.write(target.seeds(), to: arguments[3])
        }
        // libFuzzer takes the program's name and what comes after the target.
        var strings: [UnsafeMutablePointer<CChar>?] = ([arguments[0]] + arguments.dropFirst(2)).map { strdup($0) }
        var count = Int32(strings.count)
        strings.append(nil)
        let status = strings.withUnsafeMutableBufferPointer { strings in
            var first = strings.baseAddress
            return LLVMFuzzerRunDriver(&count, &first, target.run)
        }
        exit(status)
    }

    private static func fail(_ message: String) -> Never {
        let line = message + "\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(64)
    }
}
