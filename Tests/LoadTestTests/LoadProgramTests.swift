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
        ["--endpoint", "rerank"], ["--no-such-flag"], ["--num-prompts", "many"], ["--temperature", "-1"],
    ])
    func refusesWrongFlags(arguments: [String]) throws {
        #expect(try run(arguments).status == 64)
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
