import ConfigurationFile
import Foundation
import Testing
import Vocabulary

@Suite struct ReadConfigurationTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "cluster-configs")

    private static let smallest = """
        models:
          - name: m
            path: m.gguf
        nodes:
          - name: a
        """

    @Test func everyReadyConfigurationIsValid() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(names.count >= 5)
        for name in names {
            #expect(name.hasSuffix(".yaml"), "\(name) is no configuration")
            let configuration = try ClusterConfiguration.load(path: Self.folder.appending(path: name).path)
            #expect(!configuration.nodes.isEmpty)
        }
    }

    @Test func defaultsAreLoopback() throws {
        let configuration = try ClusterConfiguration.parse(yaml: Self.smallest, path: "/etc/shardline/c.yaml")
        #expect(configuration.coordinator == ClusterConfiguration.Coordinator())
        #expect(configuration.coordinator.host == "127.0.0.1")
        #expect(configuration.coordinator.port == 7400)
        #expect(configuration.gateway.port == 8080)
        #expect(configuration.minimumNodeCount == 1)
        #expect(configuration.batching == ClusterConfiguration.Batching())
        #expect(configuration.isInsecure == false)
        #expect(configuration.security == ClusterConfiguration.Security())
        #expect(configuration.security.certificateLifetimeSeconds == 86_400)
        #expect(configuration.logging.level == "info")
        #expect(configuration.models == [ClusterConfiguration.Model(name: "m", path: "/etc/shardline/m.gguf")])
        let id = try #require(NodeID("a"))
        #expect(configuration.nodes == [ClusterConfiguration.Node(id: id)])
    }

    @Test func readsEveryKey() throws {
        let configuration = try ClusterConfiguration.parse(
            yaml: """
                insecure: true
                coordinator: {host: 10.0.0.1, port: 7500, minimum_nodes: 2, data_directory: data}
                gateway: {host: "::1", port: 0}
                models:
                  - {name: one, path: /m/one.gguf, context_length: 4096, kv_cache_tokens: 8192, max_num_seqs: 7}
                  - {name: "2", path: two.gguf, replicas: 2, step_rows: 32, request_time_limit: 60}
                batching: {step_rows: 256, max_waiting_requests: 9, request_time_limit: 90}
                nodes:
                  - name: a
                    host: example.org
                    port: 7501
                    threads: 2
                    cpus: "0-3, 8"
                    numa_node: 1
                    memory: 1.5GiB
                    model_directory: /models/
                    weight_cache: ../cache
                    data_directory: state
                  - {name: b, cpus: [4, 5], memory: 1048576, model_directory: local}
                logging: {level: debug}
                """, path: "conf/c.yaml")
        #expect(
            configuration.coordinator
                == ClusterConfiguration.Coordinator(
                    host: "10.0.0.1", port: 7500, minimumNodeCount: 2, dataDirectory: "conf/data"))
        #expect(configuration.gateway == ClusterConfiguration.Gateway(host: "::1", port: 0))
        #expect(
            configuration.models == [
                ClusterConfiguration.Model(
                    name: "one", path: "/m/one.gguf", contextLength: 4096, kvCacheTokenCount: 8192,
                    sequenceCountMax: 7, batching: configuration.batching),
                ClusterConfiguration.Model(
                    name: "2", path: "conf/two.gguf", replicaCount: 2,
                    batching: ClusterConfiguration.Batching(
                        stepRowCountMax: 32, waitingRequestCountMax: 9, requestTimeLimitSeconds: 60)),
            ])
        #expect(
            configuration.batching
                == ClusterConfiguration.Batching(
                    stepRowCountMax: 256, waitingRequestCountMax: 9, requestTimeLimitSeconds: 90))
        let first = try configuration.node(named: "a", path: "c")
        #expect(
            first
                == ClusterConfiguration.Node(
                    id: first.id, host: "example.org", port: 7501, threadCount: 2, cpus: [0, 1, 2, 3, 8], numaNode: 1,
                    memoryLimitBytes: 1_610_612_736, modelDirectory: "/models/",
                    weightCacheDirectory: "conf/../cache", dataDirectory: "conf/state"))
        let second = try configuration.node(named: "b", path: "c")
        #expect(second.cpus == [4, 5])
        #expect(second.weightCacheDirectory == nil)
        #expect(second.memoryLimitBytes == 1_048_576)
        #expect(configuration.isInsecure)
        #expect(configuration.logging.level == "debug")
        #expect(configuration.models[0].path(on: first) == "/models/one.gguf")
        #expect(configuration.models[1].path(on: second) == "conf/local/two.gguf")
        let error = #expect(throws: ConfigurationError.self) { try configuration.node(named: "c", path: "c.yaml") }
        #expect(error?.description == "c.yaml: nodes: no node is called 'c'; there are: a, b")
    }

    @Test func sectionsOfCommentsOnlyAreAbsent() throws {
        let yaml = "gateway:\n# port: 1\nbatching: ~\nlogging:\n" + Self.smallest
        #expect(try ClusterConfiguration.parse(yaml: yaml, path: "c").gateway == ClusterConfiguration.Gateway())
    }

    @Test func readsSecurity() throws {
        func parse(_ text: String, allowsInsecure: Bool = false) throws -> ClusterConfiguration {
            try ClusterConfiguration.parse(
                yaml: "\(text)\n\(Self.smallest)", path: "conf/c.yaml", allowsInsecure: allowsInsecure)
        }
        let security = try parse(
            "security: {certificate: a.crt, key: /k, authority: ca.crt, certificate_lifetime: 90m}"
        ).security
        #expect(
            security.files
                == ClusterConfiguration.Security.Files(certificate: "conf/a.crt", key: "/k", authority: "conf/ca.crt"))
        #expect(security.certificateLifetimeSeconds == 5400)
        #expect(try parse("security: {insecure: true}").isInsecure)
        #expect(try parse("insecure: true\nsecurity: {insecure: true}").isInsecure)
        #expect(try !parse("security:\n# all comments").isInsecure)
        #expect(try parse("insecure: false", allowsInsecure: true).isInsecure)
        // Files in a configuration are no contradiction to a flag: that is typed for one run.
        #expect(try parse("security: {certificate: a, key: b, authority: c}", allowsInsecure: true).isInsecure)
    }

    @Test func otherHostsNeedNoPermission() throws {
        let yaml = Self.smallest + "\n    host: 10.0.0.1\ncoordinator: {host: example.org}\n"
        let configuration = try ClusterConfiguration.parse(yaml: yaml, path: "c")
        #expect(!configuration.isInsecure)
        #expect(configuration.nodes[0].host == "10.0.0.1")
    }

    /// The API is plain HTTP, whatever the cluster speaks inside.
    @Test func theGatewayIsOpenedByName() throws {
        let yaml = Self.smallest + "\ngateway: {host: 0.0.0.0, insecure: true}\n"
        let configuration = try ClusterConfiguration.parse(yaml: yaml, path: "c")
        #expect(!configuration.isInsecure && configuration.gateway.host == "0.0.0.0")
        let plain = Self.smallest + "\ngateway: {host: 0.0.0.0}\n"
        #expect(throws: ConfigurationError.self) { try ClusterConfiguration.parse(yaml: plain, path: "c") }
        #expect(try ClusterConfiguration.parse(yaml: plain, path: "c", allowsInsecure: true).isInsecure)
    }

    @Test func loadNamesTheFile() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "shardline-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func message(_ path: String) -> String {
            do {
                _ = try ClusterConfiguration.load(path: path)
                return ""
            } catch { return error.description }
        }
        #expect(message("/no/such.yaml") == "/no/such.yaml: no such file; give the path of a cluster configuration")
        #expect(message(folder.path).hasSuffix("this is a folder, not a configuration file"))
        let binary = folder.appending(path: "binary").path
        try Data([0xFF, 0xFE, 0x00]).write(to: URL(filePath: binary))
        #expect(message(binary).hasSuffix("is not UTF-8 text; is it really a YAML file?"))
        let huge = folder.appending(path: "huge").path
        try Data(repeating: 0x20, count: (1 << 20) + 1).write(to: URL(filePath: huge))
        #expect(message(huge).contains("larger than 1 MiB"))
        let good = folder.appending(path: "good.yaml").path
        try Data(Self.smallest.utf8).write(to: URL(filePath: good))
        #expect(try ClusterConfiguration.load(path: good).models[0].path == folder.path + "/m.gguf")
    }
}
