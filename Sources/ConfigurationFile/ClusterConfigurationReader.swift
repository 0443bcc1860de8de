import Vocabulary

/// From the document to checked values, section by section.
struct ClusterConfigurationReader {
    let path: String
    let allowsInsecure: Bool

    private static let exampleModel = "\n  - name: smollm2\n    path: models/smollm2.gguf"
    private static let exampleNode = "\n  - name: node-1\n    threads: 4"

    func read(yaml: String) throws(ConfigurationError) -> ClusterConfiguration {
        guard let node = try ConfigurationDocument.parse(yaml: yaml, path: path) else {
            throw ConfigurationError(path: path, message: "is empty; it needs at least 'models' and 'nodes'")
        }
        let root = ConfigurationValue(node: node, path: path, keyPath: "")
        guard !root.isNull else { throw root.error("is empty; it needs at least 'models' and 'nodes'") }
        let top = try root.section(knownKeys: [
            "coordinator", "gateway", "models", "batching", "nodes", "insecure", "security", "logging",
        ])
        let security = try SecurityReader(allowsInsecure: allowsInsecure, resolved: resolved).read(top)
        let hosts = HostReader()
        let batching = try self.batching(top)
        let modelsValue = try top.required("models", example: Self.exampleModel)
        let models = try self.models(modelsValue, batching: batching)
        let nodes = try self.nodes(top.required("nodes", example: Self.exampleNode), hosts: hosts)
        let configuration = ClusterConfiguration(
            coordinator: try coordinator(top, nodeCount: nodes.count, hosts: hosts),
            gateway: try gateway(top, isInsecure: security.isInsecure), models: models, batching: batching,
            nodes: nodes, isInsecure: security.isInsecure, security: security.settings, logging: try logging(top))
        try checkListeners(configuration, root: root)
        try checkReplicas(configuration, root: root)
        return configuration
    }

    // MARK: - Sections

    private func coordinator(
        _ top: ConfigurationSection, nodeCount: Int, hosts: HostReader
    ) throws(ConfigurationError) -> ClusterConfiguration.Coordinator {
        var result = ClusterConfiguration.Coordinator()
        let keys = ["host", "port", "minimum_nodes", "data_directory"]
        guard let section = try top.optionalSection("coordinator", knownKeys: keys) else { return result }
        result.host = try hosts.host(section) ?? result.host
        result.port = try section.optionalInteger("port", in: 1...65535) ?? result.port
        result.dataDirectory = try section.optionalText("data_directory").map(resolved)
        if let value = section["minimum_nodes"] {
            let count = try value.integer(in: 1...Int(Int32.max))
            guard count <= nodeCount else {
                throw value.error("is \(count), but only \(nodeCount) nodes are listed; lower it or list more")
            }
            result.minimumNodeCount = count
        }
        return result
    }

    private func gateway(
        _ top: ConfigurationSection, isInsecure: Bool
    ) throws(ConfigurationError) -> ClusterConfiguration.Gateway {
        var result = ClusterConfiguration.Gateway()
        let keys = ["host", "port", "insecure"]
        guard let section = try top.optionalSection("gateway", knownKeys: keys) else { return result }
        let hosts = HostReader(isForPlainHTTP: try !(section.optionalBoolean("insecure") ?? isInsecure))
        result.host = try hosts.host(section) ?? result.host
        result.port = try section.optionalInteger("port", in: 0...65535) ?? result.port
        return result
    }

    private func models(
        _ value: ConfigurationValue, batching: ClusterConfiguration.Batching
    ) throws(ConfigurationError) -> [ClusterConfiguration.Model] {
        var models: [ClusterConfiguration.Model] = []
        for item in try value.list() {
            let section = try item.section(
                knownKeys: ["name", "path", "context_length", "kv_cache_tokens", "max_num_seqs", "replicas"]
                    + Self.batchingKeys)
            let nameValue = try section.required("name", example: "smollm2")
            let name = try nameValue.text()
            guard name.utf8.count <= 256 else {
                throw nameValue.error("is longer than 256 bytes; choose a shorter one")
            }
            guard !models.contains(where: { $0.name == name }) else {
                throw nameValue.error("'\(name)' is the name of two models; each needs its own")
            }
            let path = try section.required("path", example: "models/smollm2.gguf").text()
            models.append(
                ClusterConfiguration.Model(
                    name: name, path: resolved(path),
                    contextLength: try section.optionalInteger("context_length", in: 1...(1 << 24), unit: "tokens"),
                    kvCacheTokenCount: try section.optionalInteger(
                        "kv_cache_tokens", in: BlockID.positionCount...(1 << 32), unit: "tokens"),
                    sequenceCountMax: try section.optionalInteger("max_num_seqs", in: 1...65536),
                    replicaCount: try section.optionalInteger("replicas", in: 1...1024) ?? 1,
                    batching: try self.batching(section, over: batching)))
        }
        guard !models.isEmpty else { throw value.error("the list is empty; it needs at least one model") }
        return models
    }

    private func batching(_ top: ConfigurationSection) throws(ConfigurationError) -> ClusterConfiguration.Batching {
        let section = try top.optionalSection("batching", knownKeys: Self.batchingKeys)
        return try section.map { section throws(ConfigurationError) in
            try batching(section, over: ClusterConfiguration.Batching())
        } ?? ClusterConfiguration.Batching()
    }

    private static let batchingKeys = [
        "step_rows", "max_waiting_requests", "max_waiting_requests_per_user", "request_time_limit",
    ]

    /// What the section says, and `defaults` where it says nothing.
    private func batching(
        _ section: ConfigurationSection, over defaults: ClusterConfiguration.Batching
    ) throws(ConfigurationError) -> ClusterConfiguration.Batching {
        var result = defaults
        result.stepRowCountMax = try section.optionalInteger("step_rows", in: 1...4096) ?? result.stepRowCountMax
        result.waitingRequestCountMax =
            try section.optionalInteger("max_waiting_requests", in: 1...1_000_000) ?? result.waitingRequestCountMax
        result.waitingRequestCountMaxPerUser =
            try section.optionalInteger("max_waiting_requests_per_user", in: 1...1_000_000)
            ?? result.waitingRequestCountMaxPerUser
        result.requestTimeLimitSeconds =
            try section.optionalInteger("request_time_limit", in: 1...86_400, unit: "seconds")
            ?? result.requestTimeLimitSeconds
        return result
    }

    private func nodes(
        _ value: ConfigurationValue, hosts: HostReader
    ) throws(ConfigurationError) -> [ClusterConfiguration.Node] {
        var nodes: [ClusterConfiguration.Node] = []
        for item in try value.list() {
            let section = try item.section(knownKeys: [
                "name", "host", "port", "threads", "cpus", "numa_node", "memory", "model_directory",
                "weight_cache", "data_directory",
            ])
            let nameValue = try section.required("name", example: "node-\(nodes.count + 1)")
            var node = ClusterConfiguration.Node(id: try nodeID(nameValue))
            guard !nodes.contains(where: { $0.id == node.id }) else {
                throw nameValue.error("'\(node.id)' is the name of two nodes; each needs its own")
            }
            node.host = try hosts.host(section) ?? node.host
            node.port = try section.optionalInteger("port", in: 0...65535) ?? 0
            node.cpus = try section["cpus"].map { value throws(ConfigurationError) in try cpus(value) }
            node.threadCount = try threadCount(section, cpus: node.cpus)
            node.numaNode = try section.optionalInteger("numa_node", in: 0...1023)
            node.memoryLimitBytes = try section["memory"].map { value throws(ConfigurationError) in
                try value.byteCount(atLeast: 1 << 20)
            }
            node.modelDirectory = try section.optionalText("model_directory").map(resolved)
            node.weightCacheDirectory = try section.optionalText("weight_cache").map(resolved)
            node.dataDirectory = try section.optionalText("data_directory").map(resolved)
            nodes.append(node)
        }
        guard !nodes.isEmpty else { throw value.error("the list is empty; it needs at least one node") }
        return nodes
    }

    private func logging(_ top: ConfigurationSection) throws(ConfigurationError) -> ClusterConfiguration.Logging {
        var result = ClusterConfiguration.Logging()
        guard let section = try top.optionalSection("logging", knownKeys: ["level"]), let value = section["level"]
        else { return result }
        let level = try value.text()
        guard ClusterConfiguration.Logging.levels.contains(level) else {
            let known = ClusterConfiguration.Logging.levels.joined(separator: ", ")
            throw value.error("'\(ConfigurationValue.shortened(level))' is no level; choose one of: \(known)")
        }
        result.level = level
        return result
    }

    // MARK: - Values

    private func nodeID(_ value: ConfigurationValue) throws(ConfigurationError) -> NodeID {
        let name = try value.text()
        guard let id = NodeID(name) else {
            throw value.error(
                "'\(ConfigurationValue.shortened(name))' cannot be a node's name: "
                    + "use 1 to 64 characters out of a-z A-Z 0-9 . _ -")
        }
        guard id != .coordinator else { throw value.error("'coordinator' is taken; give the node another name") }
        return id
    }

    /// A list of numbers or a text such as "0-3,8".
    private func cpus(_ value: ConfigurationValue) throws(ConfigurationError) -> [Int] {
        var cpus: [Int] = []
        if value.isList {
            for item in try value.list() {
                let cpu = try item.integer(in: 0...CPUList.cpuMax)
                guard !cpus.contains(cpu) else { throw item.error("CPU \(cpu) stands twice in the list") }
                cpus.append(cpu)
            }
        } else if let text = value.scalarText {
            guard let parsed = CPUList.parse(text) else {
                throw value.error(
                    "expected CPU numbers such as [0, 1] or \"0-3,8\", each once and at most \(CPUList.cpuMax), "
                        + "got \(value.kind)")
            }
            cpus = parsed
        } else {
            throw value.error("expected CPU numbers such as [0, 1] or \"0-3,8\", got \(value.kind)")
        }
        guard !cpus.isEmpty else { throw value.error("the list is empty; leave the key out to use any CPU") }
        return cpus
    }

    private func threadCount(
        _ section: ConfigurationSection, cpus: [Int]?
    ) throws(ConfigurationError) -> Int? {
        guard let value = section["threads"] else { return nil }
        let count = try value.integer(in: 1...1024)
        if let cpus, count > cpus.count {
            throw value.error("is \(count), but 'cpus' lists only \(cpus.count); at most one thread a CPU")
        }
        return count
    }

    private func resolved(_ file: String) -> String {
        guard !file.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return file }
        return String(path[...slash]) + file
    }

    // MARK: - What must agree

    /// Replicas of a model share no node.
    private func checkReplicas(
        _ configuration: ClusterConfiguration, root: ConfigurationValue
    ) throws(ConfigurationError) {
        for (index, model) in configuration.models.enumerated()
        where model.replicaCount > configuration.nodes.count {
            let message =
                "is \(model.replicaCount), but each replica needs a node of its own, and 'nodes' lists "
                + "\(configuration.nodes.count); lower it or list more"
            guard let value = root.descendant("models[\(index)].replicas") else {
                throw ConfigurationError(path: path, keyPath: "models[\(index)].replicas", message: message)
            }
            throw value.error(message)
        }
    }

    /// Two listeners on one host and port cannot both start.
    private func checkListeners(
        _ configuration: ClusterConfiguration, root: ConfigurationValue
    ) throws(ConfigurationError) {
        var listeners = [
            (name: "coordinator", host: configuration.coordinator.host, port: configuration.coordinator.port),
            (name: "gateway", host: configuration.gateway.host, port: configuration.gateway.port),
        ]
        for (index, node) in configuration.nodes.enumerated() {
            listeners.append((name: "nodes[\(index)]", host: node.host, port: node.port))
        }
        var owners: [String: String] = [:]
        for listener in listeners where listener.port != 0 {
            let address = "\(listener.host.lowercased()):\(listener.port)"
            if let other = owners[address] {
                let message = "\(address) is taken by \(other); choose another port"
                guard let value = root.descendant("\(listener.name).port") else {
                    throw ConfigurationError(path: path, keyPath: "\(listener.name).port", message: message)
                }
                throw value.error(message)
            }
            owners[address] = listener.name
        }
    }
}

/// Reads `host` keys.
struct HostReader {
    /// What listens there speaks HTTP in plain text to whoever comes: on loopback only, unless that is allowed.
    var isForPlainHTTP = false

    func host(_ section: ConfigurationSection) throws(ConfigurationError) -> String? {
        guard let value = section["host"] else { return nil }
        let host = try value.text()
        guard HostName.isWellFormed(host) else {
            throw value.error("'\(ConfigurationValue.shortened(host))' is no host name or IP address (without a port)")
        }
        guard !isForPlainHTTP || HostName.isLoopback(host) else {
            throw value.error(
                "\(host) is not a loopback address, and the API is plain HTTP open to everybody who reaches it; "
                    + "behind a proxy that speaks TLS, or on a network you trust, allow it with 'insecure: true' in "
                    + "gateway")
        }
        return host
    }
}
