import Foundation
import Testing

private let programFolder = ProcessInfo.processInfo.environment["SHARDLINE_BIN"]

/// The program itself. Runs where `SHARDLINE_BIN` names the folder of the built programs, as in tools/test.
@Suite(.timeLimit(.minutes(1)), .enabled(if: programFolder != nil)) struct LoadProgramTests {
    private func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(filePath: try #require(programFolder)).appending(path: "shardline-load")
        process.arguments = arguments
        var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SHARDLINE_") }
        all.merge(environment) { _, new in new }
        process.environment = all
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let outputData = output.fileHandleForReading.readDataToEndOfFile()
        let errorData = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: outputData, as: UTF8.self),
            String(decoding: errorData, as: UTF8.self)
        )
    }

    private func server() throws -> ScriptedServer {
        try ScriptedServer.answering { connection, request in
            guard request.line.hasPrefix("POST") else {
                return connection.sendJSON(#"{"data":[{"id":"first"},{"id":"second"}]}"#)
            }
            guard request.json?["model"] as? String == "first" else {
                return connection.sendJSON(#"{"error":{"message":"no such model"}}"#, status: "404 Not Found")
            }
            connection.beginEvents()
            connection.sendChunk(
                #"data: {"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n")
            connection.endChunks()
        }
    }

    @Test func succeeds() throws {
        let server = try server()
        defer { server.stop() }
        let result = try run(["--base-url", server.url, "--json", "-"], environment: ["SHARDLINE_NUM_PROMPTS": "6"])
        #expect(result.status == 0, "\(result.errors)")
        let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        #expect(json?["completed"] as? Int == 6)
        #expect(json?["model_id"] as? String == "first")
        #expect(result.errors.contains("Successful requests:"))
    }

    @Test func failsWhenRequestsFail() throws {
        let server = try server()
        defer { server.stop() }
        let result = try run(["--base-url", server.url, "--model", "third", "--num-prompts", "2"])
        #expect(result.status == 1)
        #expect(result.output.contains("answered 404: no such model"))
    }

    @Test func failsWithoutAServer() throws {
        let server = try server()
        server.stop()
        let result = try run(["--base-url", server.url])
        #expect(result.status == 1)
        #expect(result.errors.contains("nothing listens at"))
    }

    @Test(arguments: [
        ["--num-prompts", "0"], ["--request-rate", "0"], ["--request-rate", "nan"], ["--base-url", "https://x"],
        ["--request-rate", "4/d"], ["--duration", "soon"], ["--duration", "10s"], ["--inject-prompt", "4096"],
        ["--turns", "3"], ["--disconnect", "1.5"], ["--static-batch", "4", "--max-concurrency", "4"],
        ["--shared-prefix-share", "0.5", "--shared-prefix-len", "128"], ["--time-scale", "-1"],
        ["--record", "a", "--verify", "b"], ["--trace", "a", "--prompt", "b"],
        ["--endpoint", "rerank"], ["--no-such-flag"], ["--num-prompts", "many"], ["--temperature", "-1"],
    ])
    func refusesWrongFlags(arguments: [String]) throws {
        #expect(try run(arguments).status == 64)
    }

    @Test func saysHowAFlagIsWritten() throws {
        #expect(try run(["--request-rate", "4/d"]).errors.contains("90/min"))
        #expect(try run(["--inject-prompt", "4096"]).errors.contains("4096@10s"))
    }

    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "load-\(UUID())").path
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func refusesFilesThatCannotBeUsed() throws {
        try withFile("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,many,1\n") { path in
            let trace = try run(["--trace", path])
            #expect(trace.status == 78)
            #expect(trace.errors.contains("\(path), line 2: ContextTokens is 'many'"))
            let verify = try run(["--verify", path])
            #expect(verify.status == 78)
            #expect(verify.errors.contains("line 1: this is no file that --record has written"))
        }
        let missing = try run(["--trace", "/nowhere/trace.csv"])
        #expect(missing.status == 78)
        #expect(missing.errors.contains("--trace /nowhere/trace.csv: the file cannot be read: there is no such file"))
        #expect(try run(["--json", "/nowhere/report.json"]).status == 78)
    }

    @Test func replaysATrace() throws {
        let server = try server()
        defer { server.stop() }
        let rows = (0..<9).map { "2023-11-16 18:15:4\($0),\(10 + $0),1" }.joined(separator: "\n")
        try withFile("TIMESTAMP,ContextTokens,GeneratedTokens\n\(rows)\n") { path in
            let result = try run(["--base-url", server.url, "--trace", path, "--time-scale", "0.01", "--json", "-"])
            #expect(result.status == 0, "\(result.errors)")
            let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            #expect(json?["completed"] as? Int == 9)
            #expect(json?["request_rate"] as? String == "trace")
            #expect(json?["client_cpu_seconds"] is Double)
        }
    }

    @Test func recordsAndVerifies() throws {
        let server = try server()
        defer { server.stop() }
        try withFile("") { path in
            let base = ["--base-url", server.url, "--num-prompts", "5"]
            #expect(try run(base + ["--record", path]).status == 0)
            let equal = try run(base + ["--verify", path])
            #expect(equal.status == 0, "\(equal.output)")
            #expect(equal.output.contains("Equal answers:"))
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try text.replacing("\"text\":\"x\"", with: "\"text\":\"y\"")
                .write(toFile: path, atomically: true, encoding: .utf8)
            let other = try run(base + ["--verify", path])
            #expect(other.status == 1)
            #expect(other.output.contains("request 4, byte 0, output 0: 'y' was expected, 'x' came"))
        }
    }

    @Test func namesTheLimitOfDescriptors() throws {
        let limited = Process()
        limited.executableURL = URL(filePath: "/bin/sh")
        let program = URL(filePath: try #require(programFolder)).appending(path: "shardline-load").path
        limited.arguments = ["-c", "ulimit -n 256; exec '\(program)' --max-concurrency 1000"]
        let errors = Pipe()
        limited.standardError = errors
        limited.standardOutput = FileHandle.nullDevice
        try limited.run()
        let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        limited.waitUntilExit()
        #expect(limited.terminationStatus == 1)
        #expect(message.contains("ulimit -n 1064"), "\(message)")
    }

    @Test func refusesWrongTwins() throws {
        let result = try run([], environment: ["SHARDLINE_IGNORE_EOS": "maybe"])
        #expect(result.status == 64)
        #expect(result.errors.contains("SHARDLINE_IGNORE_EOS is 'maybe'"))
    }

    /// Every flag that the help lists has its twin there, but --model: SHARDLINE_MODEL is a file to other programs.
    @Test func helpShowsEveryTwin() throws {
        let help = try run(["--help"]).output
        let options = try #require(help.range(of: "OPTIONS:")).upperBound
        let flags = help[options...].matches(of: /--([a-z][a-z-]+)/).map { String($0.output.1) }
        #expect(flags.count > 10)
        for flag in Set(flags) where flag != "help" && flag != "model" {
            let twin = "SHARDLINE_" + flag.uppercased().replacingOccurrences(of: "-", with: "_")
            #expect(help.contains(twin), "\(flag)")
        }
    }
}
