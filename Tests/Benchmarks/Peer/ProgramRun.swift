import Foundation

/// Another program, run to its end.
enum ProgramRun {
    /// What the program wrote to standard output.
    ///
    /// - Parameter libraryFolder: where its shared libraries are looked for first.
    /// - Throws: when it cannot be started or does not end with 0; the message ends with what it complained of last.
    static func output(of path: String, _ arguments: [String], libraryFolder: String) throws -> String {
        let complaints = try nameless()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["LD_LIBRARY_PATH"] = [libraryFolder, environment["LD_LIBRARY_PATH"]].compactMap { $0 }
            .joined(separator: ":")
        process.environment = environment
        let pipe = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = complaints
        do { try process.run() } catch {
            throw BenchmarkError("\(path) cannot be started: \(error.localizedDescription)")
        }
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0, process.terminationReason == .exit else {
            try complaints.seek(toOffset: 0)
            let text = String(decoding: try complaints.readToEnd() ?? Data(), as: UTF8.self)
            let last = text.split(separator: "\n").suffix(5).joined(separator: "\n")
            throw BenchmarkError(
                "\(path) \(arguments.joined(separator: " ")) ended with \(process.terminationStatus):\n\(last)")
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// A file that nothing is left of when it is closed. A pipe would stop a program that writes much.
    private static func nameless() throws -> FileHandle {
        let url = FileManager.default.temporaryDirectory.appending(path: "shardline-bench-\(UUID().uuidString)")
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw BenchmarkError("\(url.path) cannot be created; set TMPDIR to a folder that can be written to")
        }
        defer { try? FileManager.default.removeItem(at: url) }
        return try FileHandle(forUpdating: url)
    }
}
