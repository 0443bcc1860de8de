import ConfigurationFile
import Testing

@Suite struct BadConfigurationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var yaml: String
        var parts: [String]
        var testDescription: String { parts.joined(separator: " ... ") }

        init(_ yaml: String, _ parts: String...) {
            self.yaml = yaml
            self.parts = parts
        }

        /// With a good model and good nodes `a` and `b` before `yaml`.
        static func top(_ yaml: String, _ parts: String...) -> Case {
            var made = Case("models: [{name: m, path: p}]\nnodes: [{name: a}, {name: b}]\n" + yaml)
            made.parts = parts
            return made
        }

        static func node(_ yaml: String, _ parts: String...) -> Case {
            var made = Case("models: [{name: m, path: p}]\nnodes:\n  - name: a\n    \(yaml)\n")
            made.parts = parts
            return made
        }

        static func model(_ yaml: String, _ parts: String...) -> Case {
            var made = Case("nodes: [{name: a}]\nmodels:\n  - name: m\n    \(yaml)\n")
            made.parts = parts
            return made
        }
    }

    static let shapes: [Case] = [
        Case("", "c.yaml: is empty"),
        Case("# nothing\n", "is empty"),
        Case("~", "is empty"),
        Case("hello", "c.yaml:1:1: expected a mapping", "got the text 'hello'"),
        Case("- a\n- b", "expected a mapping", "got a list"),
        Case("models: [{name: m, path: p}]", "needs the key 'nodes'", "name: node-1"),
        Case("nodes: [{name: a}]", "needs the key 'models'"),
        Case("nodes: []\nmodels: [{name: m, path: p}]", "c.yaml:1:8: nodes: the list is empty"),
        Case("nodes: [{name: a}]\nmodels: []", "c.yaml:2:9: models: the list is empty"),
        Case("nodes: {name: a}\nmodels: [{name: m, path: p}]", "nodes: expected a list, got a mapping"),
        Case("nodes:\nmodels: [{name: m, path: p}]", "nodes: expected a list, got nothing"),
        Case("nodes: [a]\nmodels: [{name: m, path: p}]", "nodes[0]: expected a mapping", "the text 'a'"),
        .top("gateways: {}", "c.yaml:3:1: unknown key 'gateways' at the top level (did you mean 'gateway'?)"),
        .top("zebra: 1", "unknown key 'zebra' at the top level (known: coordinator, gateway"),
        .top("[a]: 1", "a key must be a word, got a list"),
        .top("gateway: 8080", "gateway: expected a mapping (key: value lines), got the number 8080"),
        .top("gateway: {port: 80}\ngateway: {port: 81}", "key 'gateway' stands more than once"),
        .top("gateway: {port: 1\n", "c.yaml:", "not well-formed YAML", "check indentation"),
        .top("\tgateway: 1", "c.yaml:3:", "not well-formed YAML"),
        .top("---\nnodes: []", "not well-formed YAML", "another document"),
        .top("gateway: \u{1}", "c.yaml:3", "not well-formed YAML", "control characters"),
    ]

    static let values: [Case] = [
        .top("gateway: {port: 65536}", "gateway.port: expected a whole number from 0 to 65535, got 65536"),
        .top("gateway: {port: -1}", "gateway.port: expected a whole number", "got -1"),
        .top("gateway: {port: 80.5}", "got 80.5"),
        .top("gateway: {port: \"80\"}", "gateway.port: expected a whole number", "got text"),
        .top("gateway: {port: eighty}", "got the text 'eighty'"),
        .top("gateway: {port: 99999999999999999999999}", "got 99999999999999999999999"),
        .top("gateway: {port: 22:30}", "got the text '22:30'"),
        .top("gateway: {port: }", "gateway.port", "got nothing"),
        .top("gateway: {port: !!int 80}", "YAML tags (tag:yaml.org,2002:int) are not supported"),
        .top("gateway: {port: !mine 80}", "YAML tags (!mine) are not supported"),
        .top("gateway: {host: 127}", "gateway.host: expected text, got the number 127", "in quotes: \"127\""),
        .top("gateway: {host: true}", "gateway.host: expected text, got true"),
        .top("gateway: {host: \"\"}", "gateway.host: is empty"),
        .top("gateway: {host: \"a:80\"}", "gateway.host: a:80 is not a loopback address"),
        .top("gateway: {host: \"host:80\"}", "'host:80' is no host name or IP address (without a port)"),
        .top("gateway: {host: 1.2.3.400}\ninsecure: true", "'1.2.3.400' is no host name"),
        .top("gateway: {host: a_b..c}", "'a_b..c' is no host name"),
        .top("gateway: {host: 0.0.0.0}", "c.yaml:3:17: gateway.host: 0.0.0.0 is not a loopback", "'insecure: true'"),
        .top("gateway: {host: 0.0.0.0, insecure: false}\ninsecure: true", "gateway.host: 0.0.0.0 is not a loopback"),
        .top("gateway: {host: 127.0.0.1.example.org}", "is not a loopback address"),
        .top("coordinator: {host: 1.2.3.400}", "coordinator.host: '1.2.3.400' is no host name"),
        .top("coordinator: {port: 0}", "coordinator.port: expected a whole number from 1 to 65535, got 0"),
        .top("coordinator: {minimum_nodes: 3}", "minimum_nodes: is 3, but only 2 nodes are listed"),
        .top("coordinator: {minimum-nodes: 1}", "unknown key 'minimum-nodes' in coordinator (did you mean 'minimum_n"),
        .top("coordinator: {data_directory: \"a\\nb\"}", "has a line break or control character"),
        .top("coordinator: {port: 8080}", "gateway.port: 127.0.0.1:8080 is taken by coordinator; choose another port"),
        .top("insecure: maybe", "insecure: expected true or false, got the text 'maybe'"),
        .top("insecure: \"true\"", "insecure: expected true or false, got text"),
        .top("security: {insecure: maybe}", "security.insecure: expected true or false"),
        .top(
            "insecure: true\nsecurity: {insecure: false}", "security.insecure: contradicts 'insecure' at the top level"),
        .top("security: {certificate: a, key: b}", "c.yaml:3:11: security: has 'certificate' but no 'authority'"),
        .top("security: {authority: a}", "security: has 'authority' but no 'certificate'", "belong together"),
        .top("security: {insecure: true, certificate: a, key: b, authority: c}", "security.certificate: is of no use"),
        .top("security: {certificate_lifetime: 24}", "expected a time from 5s to 366d", "got the number 24"),
        .top("security: {certificate_lifetime: 4s}", "security.certificate_lifetime: expected a time", "'4s'"),
        .top("security: {certificate_lifetime: 999999999999999999d}", "expected a time from 5s to 366d"),
        .top("security: {certificat: a}", "unknown key 'certificat' in security (did you mean 'certificate'?)"),
        .top("logging: {level: loud}", "logging.level: 'loud' is no level; choose one of: trace, debug"),
        .top("batching: {step_rows: 0}", "batching.step_rows: expected a whole number from 1 to 4096, got 0"),
        .top("batching: {max_waiting_requests: -5}", "batching.max_waiting_requests"),
        .model("path: p\n    replicas: 0", "models[0].replicas: expected a whole number from 1 to 1024, got 0"),
        .model(
            "path: p\n    replicas: 2",
            "c.yaml:5:15: models[0].replicas: is 2, but each replica needs a node of its own",
            "'nodes' lists 1; lower it or list more"),
        .model("path: p\n    step_rows: 0", "models[0].step_rows: expected a whole number from 1 to 4096, got 0"),
        .model("path: p\n    max_waiting_request: 1", "(did you mean 'max_waiting_requests'?)"),
        .model("path: 5", "models[0].path: expected text, got the number 5"),
        .model("paht: p", "c.yaml:4:5: models[0]: unknown key 'paht' in models[0] (did you mean 'path'?)"),
        .model("context_length: 8192", "models[0]: needs the key 'path'"),
        .model("path: p\n    context_length: 0", "models[0].context_length"),
        .model("path: p\n    kv_cache_tokens: 31", "models[0].kv_cache_tokens: expected a whole number from 32"),
        .model("path: p\n  - {name: m, path: q}", "models[1].name: 'm' is the name of two models"),
    ]

    static let nodes: [Case] = [
        .node("thread: 4", "c.yaml:4:5: nodes[0]: unknown key 'thread' in nodes[0] (did you mean 'threads'?)"),
        .node("threads: 0", "nodes[0].threads: expected a whole number from 1 to 1024, got 0"),
        .node("threads: [1]", "nodes[0].threads", "got a list"),
        .node("port: 7400", "c.yaml:4:11: nodes[0].port: 127.0.0.1:7400 is taken by coordinator"),
        .node("port: 9\n  - {name: b, port: 9}", "nodes[1].port: 127.0.0.1:9 is taken by nodes[0]"),
        .node("memory: lots", "nodes[0].memory: expected a size such as \"8GiB\"", "got the text 'lots'"),
        .node("memory: 8 GX", "expected a size"),
        .node("memory: -8GiB", "expected a size"),
        .node("memory: 99999999999TiB", "expected a size"),
        .node("memory: 1KiB", "nodes[0].memory: is too small: at least 1 MiB"),
        .node("cpus: []", "nodes[0].cpus: the list is empty"),
        .node("cpus: [0, x]", "nodes[0].cpus[1]: expected a whole number"),
        .node("cpus: [1, 1]", "nodes[0].cpus[1]: CPU 1 stands twice"),
        .node("cpus: 3-1", "expected CPU numbers such as [0, 1] or \"0-3,8\""),
        .node("cpus: 0-99999999", "at most 4095"),
        .node("cpus: {a: 1}", "expected CPU numbers", "got a mapping"),
        .node("cpus: \"0-1\"\n    threads: 3", "nodes[0].threads: is 3, but 'cpus' lists only 2"),
        .node("numa_node: -1", "nodes[0].numa_node"),
        .node("host: \"host:80\"", "nodes[0].host: 'host:80' is no host name"),
        .node("data_directory: [a]", "nodes[0].data_directory: expected text, got a list"),
        .node("model_directory: [a]", "nodes[0].model_directory: expected text, got a list"),
        .node("weight_cache: {a: b}", "nodes[0].weight_cache: expected text, got a mapping"),
        .node("port: 0\n  - name: a", "c.yaml:5:11: nodes[1].name: 'a' is the name of two nodes"),
        .node("port: 0\n  - name: a b", "nodes[1].name: 'a b' cannot be a node's name", "a-z A-Z 0-9 . _ -"),
        .node("port: 0\n  - name: coordinator", "nodes[1].name: 'coordinator' is taken"),
        .node("port: 0\n  - name: 7", "nodes[1].name: expected text, got the number 7", "\"7\""),
        .node("port: 0\n  - port: 1", "nodes[1]: needs the key 'name', for example name: node-2"),
    ]

    @Test(arguments: shapes + values + nodes)
    func isRefusedWithAClearWord(wrong: Case) {
        let error = #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.parse(yaml: wrong.yaml, path: "c.yaml")
        }
        let text = error?.description ?? ""
        for part in wrong.parts { #expect(text.contains(part), "\(text)") }
    }
}
