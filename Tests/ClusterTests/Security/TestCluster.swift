import Foundation
import Testing

/// Coordinator and nodes as people run them on several hosts: each a process of its own, with a folder of its own, and
/// commands beside them. Nodes join, but the cluster waits for more of them than there are: no model is loaded.
final class TestCluster {
    let folder: URL
    let port: Int
    private var processes: [RunningProgram] = []

    /// - Parameter security: lines of the configuration's section.
    init(security: [String] = []) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("security-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        port = Int.random(in: 10_000..<20_000)
        var yaml = """
            coordinator: {port: \(port), minimum_nodes: 3, data_directory: coordinator}
            gateway: {port: 0}
            models: [{name: m, path: \(LocalCluster.model ?? "")}]
            nodes: [{name: x}, {name: y}, {name: z}]

            """
        if !security.isEmpty { yaml += "security:\n" + security.map { "  \($0)\n" }.joined() }
        try Data(yaml.utf8).write(to: file("cluster.yaml"))
    }

    /// Ends what runs: a test that fails must leave nothing.
    deinit {
        for process in processes { process.kill() }
        try? FileManager.default.removeItem(at: folder)
    }

    func file(_ name: String) -> URL { folder.appendingPathComponent(name) }

    // MARK: Processes

    func start(
        _ program: String, _ arguments: [String], name: String, environment: [String: String] = [:]
    ) throws -> RunningProgram {
        let process = try RunningProgram(
            program, arguments, folder: folder, log: file("\(name)-\(processes.count).log"), environment: environment)
        processes.append(process)
        return process
    }

    /// Waits until the coordinator listens.
    @discardableResult
    func startCoordinator(_ arguments: [String] = []) throws -> RunningProgram {
        let process = try start(
            "shardline", ["serve", "--config", "cluster.yaml"] + arguments, name: "coordinator")
        try process.wait(for: "waiting for nodes at")
        return process
    }

    /// Does not wait. The data directory is `NAME` in the cluster's folder.
    func startNode(
        _ name: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> RunningProgram {
        try start(
            "shardline-node",
            ["--coordinator", "127.0.0.1:\(port)", "--name", name, "--data-directory", name, "--threads", "1"]
                + arguments, name: name, environment: environment)
    }

    /// A node that has joined, enrolled with a token of its own.
    func joinNode(_ name: String) throws -> RunningProgram {
        let node = try startNode(name, environment: ["SHARDLINE_JOIN_TOKEN": try token()])
        try node.wait(for: "joined the cluster as '\(name)'")
        return node
    }

    // MARK: Commands

    struct Output {
        var status: Int32
        var text: String
        var errors: String
    }

    func run(
        _ arguments: [String], program: String = "shardline", environment: [String: String] = [:]
    ) throws -> Output {
        let output = Pipe()
        let log = file("command-\(UUID().uuidString).log")
        let process = try RunningProgram(
            program, arguments, folder: folder, log: log, environment: environment, output: output)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.process.waitUntilExit()
        return Output(status: process.process.terminationStatus, text: text, errors: process.text)
    }

    /// The output of a command on the coordinator's data directory; records an issue when it fails.
    @discardableResult
    func command(_ arguments: String...) throws -> String {
        let output = try run(arguments + ["--data-directory", "coordinator"])
        #expect(output.status == 0, "\(arguments): \(output.errors)")
        return output.text
    }

    func token(_ arguments: String...) throws -> String {
        let output = try run(["token", "create", "--config", "cluster.yaml"] + arguments)
        try #require(output.status == 0, "\(output.errors)")
        return output.text.trimmingCharacters(in: .newlines)
    }

    /// Names of the nodes that are connected, as an operator on the coordinator's host sees them.
    func connectedNodes(_ arguments: [String] = ["--data-directory", "coordinator"]) throws -> [String] {
        let output = try run(["topology", "--json", "--coordinator", "127.0.0.1:\(port)"] + arguments)
        try #require(output.status == 0, "\(output.errors)")
        let json = try JSONSerialization.jsonObject(with: Data(output.text.utf8)) as? [String: Any]
        let nodes = try #require(json?["nodes"] as? [[String: Any]], "\(output.text)")
        return nodes.filter { $0["connected"] as? Bool == true }.compactMap { $0["name"] as? String }
    }

    func writeSecret(_ text: String, to name: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: file(name))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file(name).path)
    }
}

/// A program that runs beside the test, and what it says on standard error.
final class RunningProgram {
    struct NeverSaid: Error, CustomStringConvertible { let description: String }

    let process = Process()
    private let log: URL

    init(
        _ program: String, _ arguments: [String], folder: URL, log: URL, environment: [String: String],
        output: Pipe? = nil
    ) throws {
        self.log = log
        try Data().write(to: log)
        process.executableURL = URL(fileURLWithPath: "\(LocalCluster.programFolder ?? "")/\(program)")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SHARDLINE_") }
            .merging(["XDG_STATE_HOME": folder.appendingPathComponent("state").path], uniquingKeysWith: { $1 })
            .merging(environment, uniquingKeysWith: { $1 })
        process.standardOutput = output ?? FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
    }

    var text: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Waits until it has said `words`, `count` times.
    func wait(for words: String, count: Int = 1, seconds: Double = 60) throws {
        let end = Date().addingTimeInterval(seconds)
        while text.components(separatedBy: words).count <= count {
            let hasEnded = !process.isRunning
            // What it said last may have come after the look.
            if hasEnded, text.components(separatedBy: words).count > count { return }
            guard !hasEnded, Date() < end else {
                throw NeverSaid(
                    description: "'\(words)' was not said \(count) times\(hasEnded ? " before the end" : ""): \(text)")
            }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    /// The status with which it ends by itself.
    func waitForEnd(seconds: Double = 60) throws -> Int32 {
        let end = Date().addingTimeInterval(seconds)
        while process.isRunning {
            guard Date() < end else { throw NeverSaid(description: "it does not end: \(text)") }
            Thread.sleep(forTimeInterval: 0.05)
        }
        return process.terminationStatus
    }

    func stop() throws {
        process.terminate()
        _ = try waitForEnd()
    }

    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
