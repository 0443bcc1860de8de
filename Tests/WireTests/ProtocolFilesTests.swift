import Foundation
import Testing
import Wire

/// The files of `Protocols/` and what is generated from them.
@Suite struct ProtocolFilesTests {
    private func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    static var hasCompiler: Bool {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/protoc-c") }
    }

    @Test(.enabled(if: hasCompiler, "protoc-c is not installed: whether Sources/CProtocols is current is not known"))
    func generatedFilesAreCurrent() throws {
        let tool = repository.appendingPathComponent("tools/generate-protocols").path
        let (status, output) = try run(tool, ["--check"])
        #expect(status == 0, "\(output)")
        #expect(try run(tool, ["--wrong"]).status == 64)
    }

    @Test func methodNumbersAreStable() throws {
        let text = try String(
            contentsOf: repository.appendingPathComponent("Protocols/methods.txt"), encoding: .utf8)
        let lanes = Set(Lane.allCases.map { "\($0)" })
        var names: [UInt16: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ").map(String.init)
            try #require(words.count == 4, "\(line)")
            let number = try #require(UInt16(words[0]), "\(line)")
            #expect(number > 0 && names[number] == nil, "\(line)")
            #expect(words[1].split(separator: ".").count == 2 && !names.values.contains(words[1]), "\(line)")
            #expect(lanes.contains(words[2]), "\(line)")
            #expect(words[3] == "call" || words[3] == "oneWay", "\(line)")
            names[number] = words[1]
        }
        // Numbers that were given once, for good.
        let given: [UInt16: String] = [
            1: "Coordinator.register", 2: "Coordinator.stagePrepared", 3: "Coordinator.stageFailed",
            4: "Coordinator.stepFinished", 5: "Coordinator.stepFailed", 6: "Coordinator.stageProgress",
            7: "Coordinator.nodeLeaving", 8: "Coordinator.renewCertificate", 16: "Node.prepare", 17: "Node.release",
            18: "Node.certificatesRevoked", 32: "Stage.forward", 48: "Admin.topology",
        ]
        for (number, name) in given { #expect(names[number] == name) }
    }

    /// `wire.md` repeats limits and codes; what it says is what the code does.
    @Test func specificationNamesLimitsAndCodes() throws {
        let text = try String(contentsOf: repository.appendingPathComponent("Protocols/wire.md"), encoding: .utf8)
        for number in [
            FrameLimits.controlByteCountMax, FrameLimits.bulkByteCountMax, FrameLimits.handshakeControlByteCountMax,
            FrameLimits.enrolControlByteCountMax, FrameLimits.enrolledControlByteCountMax,
            MessageLimits.requestByteCountMax, MessageLimits.certificateByteCountMax, MessageLimits.serialCountMax,
            MessageLimits.rowCountMax, MessageLimits.nameByteCountMax, MessageLimits.reasonByteCountMax,
        ] {
            #expect(text.contains("\(number)"), "wire.md does not name the limit \(number)")
        }
        for kind in FrameKind.allCases {
            #expect(text.contains("| \(kind.rawValue) | `\(kind)` |"), "wire.md does not list the kind \(kind)")
        }
        for code in [
            RemoteFailure.Code.unsupportedVersion, RemoteFailure.Code.duplicate, RemoteFailure.Code.wrongPeer,
            RemoteFailure.Code.forbidden, RemoteFailure.Code.unknownMethod, RemoteFailure.Code.unknownObject,
            RemoteFailure.Code.wrongLane, RemoteFailure.Code.stale, RemoteFailure.Code.outOfOrder,
            RemoteFailure.Code.cancelled, RemoteFailure.Code.refused, RemoteFailure.Code.internalError,
            RemoteFailure.Code.shuttingDown, RemoteFailure.Code.silent, RemoteFailure.Code.malformed,
            RemoteFailure.Code.unexpectedFrame, RemoteFailure.Code.overloaded,
        ] {
            #expect(text.contains("| `\(code)` |"), "wire.md does not list the code \(code)")
        }
    }
}
