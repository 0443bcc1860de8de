import ConfigurationFile
import Testing
import Vocabulary

@Suite struct ClusterConfigurationTests {
    private static let good = """
        coordinator: {host: 127.0.0.1, port: 7400}
        models: [{name: m, path: m.gguf}]
        nodes: [{name: a, threads: 2}, {name: b}]
        """

    @Test func readsWhatItIsGiven() throws {
        let cluster = try ClusterConfiguration.parse(yaml: Self.good, path: "cluster.yaml")
        #expect(cluster.nodes.map(\.id.name) == ["a", "b"])
        #expect(cluster.nodes[0].threadCount == 2)
        #expect(cluster.minimumNodeCount == 2)
    }

    /// Each mistake is named, with its place.
    @Test(arguments: [
        ("threads: 2", "thread: 2", "thread"),
        ("port: 7400", "port: 74000", "port"),
        ("name: b", "name: a", "a"),
        ("name: b", "name: 'b c'", "b c"),
        ("host: 127.0.0.1", "host: 10.1.2.3", "insecure"),
        ("models: [{name: m, path: m.gguf}]", "models: []", "models"),
    ])
    func namesTheMistake(old: String, new: String, word: String) throws {
        let yaml = Self.good.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
        #expect {
            _ = try ClusterConfiguration.parse(yaml: yaml, path: "cluster.yaml")
        } throws: { error in
            "\(error)".contains("cluster.yaml") && "\(error)".contains(word)
        }
    }
}
