import Foundation
import Identity

/// The other end: this program once more, with the command `peer`. It ends when its standard input does.
final class OtherProcess {
    struct Ports: Codable {
        var frames: Int
        var system: Int
        var bare: Int
    }

    let ports: Ports
    var processID: Int32 { process.processIdentifier }
    private let process = Process()
    private let input = Pipe()

    /// - Parameters:
    ///   - prefix: a command that runs it somewhere else, such as in a network namespace.
    ///   - credentials: what it shows; nil for plain text.
    init(prefix: [String] = [], host: String, arguments: [String] = [], credentials: Credentials? = nil) throws {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let words = prefix + [program, "peer", "--host", host] + arguments + (credentials == nil ? [] : ["--tls"])
        process.executableURL = URL(fileURLWithPath: words[0].hasPrefix("/") ? words[0] : "/usr/bin/env")
        process.arguments = words[0].hasPrefix("/") ? Array(words.dropFirst()) : words
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        if let credentials {
            try input.fileHandleForWriting.write(contentsOf: BenchmarkCredentials.line(credentials))
        }
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) {
            guard !byte.isEmpty else { break }
            line += byte
        }
        guard let ports = try? JSONDecoder().decode(Ports.self, from: line) else {
            throw WireBenchmarkError("\(words.joined(separator: " ")) did not start")
        }
        self.ports = ports
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
