import Glibc
import Memory
import Vocabulary
import Wire
import WireSamples

/// `shardline-wire-echo generate SEED ROUNDS` writes a record of every message, again and again;
/// `shardline-wire-echo again` reads records and answers each with the message encoded anew, or why it is refused.
///
/// Tests/WirePeer holds both against another implementation of the protocol.
@main
enum Main {
    static func main() {
        // Not stdin and stdout themselves: those are variables that anybody may change.
        guard let input = fdopen(STDIN_FILENO, "rb"), let output = fdopen(STDOUT_FILENO, "wb") else {
            end("shardline-wire-echo: no standard input or output", 74)
        }
        let arguments = Array(CommandLine.arguments.dropFirst())
        do throws(WireError) {
            if arguments.count == 3, arguments[0] == "generate", let seed = UInt64(arguments[1]),
                let rounds = Int(arguments[2]), rounds >= 0
            {
                try generate(seed: seed, rounds: rounds, to: output)
            } else if arguments == ["again"] {
                again(input, output)
            } else {
                end("usage: shardline-wire-echo generate SEED ROUNDS | again", 64)
            }
        } catch {
            end("shardline-wire-echo: \(error)", 1)
        }
        fflush(output)
    }

    private static func generate(
        seed: UInt64, rounds: Int, to output: UnsafeMutablePointer<FILE>
    ) throws(WireError) {
        var random = RandomSource(seed: seed)
        let pool = BufferPool()
        for _ in 0..<rounds {
            for var message in random.everyMessage() {
                if var step = message as? ForwardStep {
                    step.hiddenStates = try hiddenStates(of: step.step, &random)
                    message = step
                }
                // Any kind with a message will do: what is compared is the message.
                let header = FrameHeader(kind: .oneWay, method: 1)
                let frame = try Echo.frame(of: message, like: header, compress: pool)
                Record(name: "\(type(of: message))", frame: frame).write(to: output)
            }
        }
    }

    /// Floats of which some compress well, or none.
    private static func hiddenStates(of step: Step, _ random: inout RandomSource) throws(WireError) -> BufferSlice? {
        guard step.rowCount > 0, random.bool() else { return nil }
        let count = step.rowCount * random.int(1...64) * 4
        let isFlat = random.bool()
        let bytes = isFlat ? [UInt8](repeating: 7, count: count) : random.bytes(count...count)
        do throws(MemoryError) {
            return try BufferSlice(copying: bytes)
        } catch {
            throw WireError(.outOfMemory, error.message)
        }
    }

    private static func again(_ input: UnsafeMutablePointer<FILE>, _ output: UnsafeMutablePointer<FILE>) {
        let echo = Echo()
        while let record = Record.read(from: input) {
            do throws(WireError) {
                Record.writeAnswer(0, try echo.encodeAgain(record), to: output)
            } catch {
                Record.writeAnswer(1, Array(error.message.utf8), to: output)
            }
        }
    }

    private static func end(_ message: String, _ status: Int32) -> Never {
        let line = message + "\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(status)
    }
}
