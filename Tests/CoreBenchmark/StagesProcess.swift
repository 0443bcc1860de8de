import Foundation

/// This program once more, as two nodes whose stages compute nothing. It ends with its standard input.
final class StagesProcess: Sendable {
    private let process: Process
    private let lifeline = Pipe()

    /// - Parameters:
    ///   - cpu: the processor it is bound to; nil leaves it to the system.
    ///   - folders: of the nodes' certificates; nil joins in plain text.
    init(coordinatorPort: Int, cpu: Int?, folders: [String]?) throws {
        process = Process()
        // A child that inherited the writing end would never see its standard input end.
        let writer = lifeline.fileHandleForWriting.fileDescriptor
        _ = fcntl(writer, F_SETFD, fcntl(writer, F_GETFD) | FD_CLOEXEC)
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var arguments = [program, "stages", "--coordinator-port", "\(coordinatorPort)"]
        for folder in folders ?? [] { arguments += ["--folder", folder] }
        // Bound from its first instruction on: later threads inherit it.
        arguments = cpu.map { ["taskset", "-c", "\($0)"] + arguments } ?? arguments
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = lifeline.fileHandleForReading
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    func stop() {
        try? lifeline.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
