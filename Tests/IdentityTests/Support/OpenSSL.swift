import Foundation
import Testing

/// The openssl command line: a second opinion on everything that is made, and a maker of what others would send.
enum OpenSSL {
    struct Run {
        var status: Int32
        var output: String
        var errors: String
    }

    static func run(_ arguments: [String], in folder: TestFolder) throws -> Run {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Run(status: process.terminationStatus, output: text, errors: message)
    }

    /// The output; records an issue when it fails.
    static func expect(_ arguments: [String], in folder: TestFolder) throws -> String {
        let run = try run(arguments, in: folder)
        #expect(run.status == 0, "openssl \(arguments.joined(separator: " ")): \(run.errors)")
        return run.output
    }

    /// An organisation's authority and a certificate of it with these alternative names, in ca.pem, leaf.pem, leaf.key.
    static func makeForeign(
        names: String, usage: String = "serverAuth,clientAuth",
        key: [String] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        in folder: TestFolder
    ) throws {
        _ = try expect(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key"]
                + ["-out", "ca.pem", "-subj", "/CN=ca", "-days", "2", "-addext", "keyUsage=keyCertSign"], in: folder)
        _ = try expect(
            ["req", "-newkey"] + key + ["-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf"],
            in: folder)
        var extensions = "basicConstraints=CA:FALSE\nextendedKeyUsage=\(usage)\n"
        if !names.isEmpty { extensions += "subjectAltName=\(names)\n" }
        try folder.write(extensions, to: "leaf.ext")
        _ = try expect(
            ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1"]
                + ["-extfile", "leaf.ext", "-out", "leaf.pem"], in: folder)
    }
}
