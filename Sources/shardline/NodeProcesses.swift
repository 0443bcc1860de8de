import Foundation
import Synchronization

/// The node processes of a local cluster.
///
/// Every node's standard input is the reading end of one pipe that nobody writes to. Its writing end is held by this
/// process alone: when this process ends, however it ends, each node reads the end of the file and stops.
final class NodeProcesses: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let lifeline = Pipe()
    private let nodes = Mutex<[Node]>([])

    private struct Node {
        var arguments: [String]
        var process: Process
        var restartCount = 0
    }

    /// A node that ended more often than this is broken, not unlucky.
    private static let restartCountMax = 5

    init() {
        // A node that inherited the writing end would keep its siblings alive.
        let writer = lifeline.fileHandleForWriting.fileDescriptor
        _ = fcntl(writer, F_SETFD, fcntl(writer, F_GETFD) | FD_CLOEXEC)
    }

    /// Starts `shardline-node`, which lies beside this program.
    func start(arguments: [String]) throws {
        let process = try launch(arguments)
        nodes.withLock { $0.append(Node(arguments: arguments, process: process)) }
    }

    /// Starts nodes that have ended once more; gives what happened. Throws when one ends again and again.
    func restartEnded() throws -> [String] {
        try nodes.withLock { nodes in
            var notes: [String] = []
            for index in nodes.indices where !nodes[index].process.isRunning {
                let ended = nodes[index].process
                let what = "the node with process id \(ended.processIdentifier) ended with \(Self.cause(of: ended))"
                guard nodes[index].restartCount < Self.restartCountMax else {
                    throw Failure(description: "\(what), for the \(Self.restartCountMax + 1)th time")
                }
                nodes[index].restartCount += 1
                nodes[index].process = try launch(nodes[index].arguments)
                notes.append("\(what); started again as \(nodes[index].process.processIdentifier)")
            }
            return notes
        }
    }

    private func launch(_ arguments: [String]) throws -> Process {
        let program = Self.programFolder.appendingPathComponent("shardline-node")
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw Failure(description: "\(program.path) is missing: build the product shardline-node too")
        }
        let process = Process()
        process.executableURL = program
        process.arguments = arguments + ["--stop-with-parent"]
        // What the environment says is meant for this program: its port is not a node's.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SHARDLINE_") }
        process.standardInput = lifeline.fileHandleForReading
        try process.run()
        return process
    }

    private static func cause(of process: Process) -> String {
        let kind = process.terminationReason == .uncaughtSignal ? "signal" : "status"
        return "\(kind) \(process.terminationStatus)"
    }

    /// Asks all to stop, and ends by force those that have not within a few seconds.
    func stop() async {
        let processes = nodes.withLock { $0.map(\.process) }
        for process in processes where process.isRunning { process.terminate() }
        for _ in 0..<50 where processes.contains(where: \.isRunning) {
            try? await Task.sleep(for: .milliseconds(100))
        }
        for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for process in processes { process.waitUntilExit() }
    }

    private static var programFolder: URL {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: own).deletingLastPathComponent()
    }
}
