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
    private let started = Mutex<[Process]>([])

    init() {
        // A node that inherited the writing end would keep its siblings alive.
        let writer = lifeline.fileHandleForWriting.fileDescriptor
        _ = fcntl(writer, F_SETFD, fcntl(writer, F_GETFD) | FD_CLOEXEC)
    }

    /// Starts `shardline-node`, which lies beside this program.
    func start(arguments: [String]) throws {
        let program = Self.programFolder.appendingPathComponent("shardline-node")
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw Failure(description: "\(program.path) is missing: build the product shardline-node too")
        }
        let process = Process()
        process.executableURL = program
        process.arguments = arguments + ["--stop-with-parent"]
        process.standardInput = lifeline.fileHandleForReading
        try process.run()
        started.withLock { $0.append(process) }
    }

    /// Names a process that has ended although it should not have.
    var endedDescription: String? {
        guard let process = started.withLock({ $0.first { !$0.isRunning } }) else { return nil }
        return "the node with process id \(process.processIdentifier) ended with status \(process.terminationStatus)"
    }

    /// Asks all to stop, and ends by force those that have not within a few seconds.
    func stop() async {
        let processes = started.withLock { $0 }
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
