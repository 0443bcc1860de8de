import Foundation
import Testing

/// What a person sees who gives a program something wrong: which status, and a message that names the thing.
@Suite(.enabled(if: LocalCluster.isPossible, "set SHARDLINE_BIN and SHARDLINE_MODEL, or run tools/test"))
struct BadInputTests {
    private static let yaml = """
        models: [{name: m, path: m.gguf}]
        nodes: [{name: a, threads: 1}, {name: b}]
        """

    /// Files by name, written anew for each case: the arguments name them.
    private static let files: [String: Data] = [
        "unknown-key.yaml": Data(yaml.replacing("threads", with: "thread").utf8),
        "missing-model.yaml": Data(yaml.utf8),
        "replicas.yaml": Data(yaml.replacing("m.gguf}", with: "m.gguf, replicas: 0}").utf8),
        "text.gguf": Data("this is no model".utf8),
        "empty.gguf": Data(),
        "architecture.gguf": gguf(architecture: "mamba"),
    ]

    /// A GGUF file without tensors that says nothing but its architecture.
    private static func gguf(architecture: String) -> Data {
        var data = Data("GGUF".utf8)
        func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) } }
        func add(text: String) {
            add(UInt64(text.utf8.count))
            data.append(contentsOf: text.utf8)
        }
        add(UInt32(3))
        add(UInt64(0))
        add(UInt64(1))
        add(text: "general.architecture")
        add(UInt32(8))
        add(text: architecture)
        return data
    }

    @Test(arguments: [
        (["shardline", "serve", "--config", "unknown-key.yaml"], Int32(78), "thread"),
        (["shardline", "serve", "--config", "missing-model.yaml"], 78, "m.gguf"),
        (["shardline", "serve", "--config", "replicas.yaml"], 78, "replicas"),
        (["shardline", "serve", "--config", "absent.yaml"], 78, "absent.yaml"),
        (["shardline", "local", "--model", "text.gguf"], 78, "text.gguf"),
        (["shardline", "local", "--model", "empty.gguf"], 78, "empty.gguf"),
        (["shardline", "local", "--model", "architecture.gguf"], 78, "mamba"),
        (["shardline", "local", "--model", "text.gguf", "--nodes", "0"], 64, "--nodes"),
        (["shardline", "local", "--model", "text.gguf", "--log-level", "loud"], 64, "--log-level"),
        (["shardline", "local"], 64, "--model"),
        (["shardline", "topology", "--coordinator", "here"], 64, "--coordinator"),
        (["shardline-node", "--config", "unknown-key.yaml", "--name", "a"], 78, "thread"),
        (["shardline-node", "--config", "missing-model.yaml"], 78, "--name"),
        (["shardline-node", "--config", "missing-model.yaml", "--name", "c"], 78, "'c'"),
        (["shardline-node", "--join", "127.0.0.1:1", "--memory", "much"], 64, "--memory"),
        (["shardline-node"], 64, "--coordinator"),
        (["shardline-node", "--coordinator", "here"], 64, "--coordinator"),
        (["shardline-node", "--join", "127.0.0.1:1", "--certificate", "a.pem"], 64, "--key"),
        (["shardline-node", "--join", "127.0.0.1:1", "--insecure", "--join-token-file", "t"], 64, "--insecure"),
        (["shardline", "serve", "--config", "c.yaml", "--certificate-lifetime", "3"], 64, "--certificate-lifetime"),
        (["shardline", "serve", "--config", "c.yaml", "--authority", "a.pem"], 64, "--certificate"),
        (["shardline", "token", "create", "--ttl", "soon"], 64, "--ttl"),
        (["shardline", "token", "create", "--uses", "0"], 64, "--uses"),
        (["shardline", "token", "create", "--node", "a b"], 64, "--node"),
        (["shardline", "token", "list", "--data-directory", "absent"], 78, "absent"),
        (["shardline", "operator", "create", "a/b", "--out", "o"], 64, "a/b"),
        (["shardline", "topology", "--insecure", "--credentials", "o"], 64, "--credentials"),
        (["shardline", "topology", "--credentials", "absent"], 78, "absent"),
        (["shardline", "topology", "--coordinator", "127.0.0.1:1"], 78, "operator create"),
        (["shardline-load", "--num-prompts", "-3"], 64, "num-prompts"),
    ])
    func isNamedWithItsStatus(arguments: [String], status: Int32, word: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bad-input-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, data) in Self.files { try data.write(to: folder.appendingPathComponent(name)) }

        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(LocalCluster.programFolder ?? "")/\(arguments[0])")
        process.arguments = Array(arguments.dropFirst())
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SHARDLINE_") }
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == status, "\(message)")
        #expect(message.contains(word), "\(message)")
    }

    @Test func aPortInUseIsNamed() throws {
        let cluster = try LocalCluster(nodeCount: 1)
        defer { _ = cluster.stop() }
        let port = try #require(cluster.url.split(separator: ":").last).description
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(LocalCluster.programFolder ?? "")/shardline")
        process.arguments = ["local", "--model", LocalCluster.model ?? "", "--nodes", "1", "--port", port]
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(message.contains(port) && message.contains("in use"))
    }
}
