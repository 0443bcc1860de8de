public import Vocabulary

/// A cluster as its YAML file describes it, checked: every value is in its range, names are unique, and what
/// belongs together agrees. Paths are absolute or relative to the process's folder; in the file they are relative
/// to the file's folder.
public struct ClusterConfiguration: Hashable, Sendable {
    public var coordinator: Coordinator
    public var gateway: Gateway
    /// At least one; served names are unique.
    public var models: [Model]
    /// Of models that say nothing else.
    public var batching: Batching
    /// At least one; names are unique.
    public var nodes: [Node]
    /// Whether nothing between the cluster's processes is encrypted and nobody is authenticated: typed by name only.
    public var isInsecure: Bool
    public var security: Security
    public var logging: Logging

    public init(
        coordinator: Coordinator = Coordinator(), gateway: Gateway = Gateway(), models: [Model],
        batching: Batching = Batching(), nodes: [Node], isInsecure: Bool = false, security: Security = Security(),
        logging: Logging = Logging()
    ) {
        self.coordinator = coordinator
        self.gateway = gateway
        self.models = models
        self.batching = batching
        self.nodes = nodes
        self.isInsecure = isInsecure
        self.security = security
        self.logging = logging
    }

    /// Reads the file at `path`.
    /// - Parameter allowsInsecure: as `insecure: true` in the file, for a program that was told so by a flag.
    public static func load(
        path: String, allowsInsecure: Bool = false
    ) throws(ConfigurationError) -> ClusterConfiguration {
        try parse(yaml: ConfigurationDocument.read(path: path), path: path, allowsInsecure: allowsInsecure)
    }

    /// - Parameter path: of the file that `yaml` is from: named in errors, and the folder of relative paths.
    public static func parse(
        yaml: String, path: String, allowsInsecure: Bool = false
    ) throws(ConfigurationError) -> ClusterConfiguration {
        try ClusterConfigurationReader(path: path, allowsInsecure: allowsInsecure).read(yaml: yaml)
    }

    /// The node called `name`, or an error that lists the names there are.
    public func node(named name: String, path: String) throws(ConfigurationError) -> Node {
        guard let node = nodes.first(where: { $0.id.name == name }) else {
            let names = nodes.map(\.id.name).joined(separator: ", ")
            throw ConfigurationError(
                path: path, keyPath: "nodes", message: "no node is called '\(name)'; there are: \(names)")
        }
        return node
    }

    /// How many nodes must be there before layers are placed: as configured, or all.
    public var minimumNodeCount: Int { coordinator.minimumNodeCount ?? nodes.count }

    // MARK: - Parts

    public struct Coordinator: Hashable, Sendable {
        public static let defaultPort = 7400

        /// Where it listens, and where nodes reach it.
        public var host: String
        public var port: Int
        /// Nil: all nodes of the file.
        public var minimumNodeCount: Int?
        /// What outlives a start of the coordinator is kept here; nil: in the default place.
        public var dataDirectory: String?

        public init(
            host: String = "127.0.0.1", port: Int = Coordinator.defaultPort, minimumNodeCount: Int? = nil,
            dataDirectory: String? = nil
        ) {
            self.host = host
            self.port = port
            self.minimumNodeCount = minimumNodeCount
            self.dataDirectory = dataDirectory
        }
    }

    public struct Gateway: Hashable, Sendable {
        public static let defaultPort = 8080

        public var host: String
        /// 0 lets the kernel choose.
        public var port: Int

        public init(host: String = "127.0.0.1", port: Int = Gateway.defaultPort) {
            self.host = host
            self.port = port
        }
    }

    public struct Model: Hashable, Sendable {
        /// The name that requests ask for.
        public var name: String
        public var path: String
        /// Positions of the longest sequence; nil: what the model was made for, as far as memory goes.
        public var contextLength: Int?
        /// Positions of all sequences of a replica together; nil: as many as memory allows.
        public var kvCacheTokenCount: Int?
        /// The most sequences at once in a replica; nil: the coordinator's default.
        public var sequenceCountMax: Int?
        /// Pipelines that serve the model, each on nodes of its own and with KV and sequences of its own.
        public var replicaCount: Int
        /// How its requests are batched: `batching` of the file, with what the model says otherwise.
        public var batching: Batching

        public init(
            name: String, path: String, contextLength: Int? = nil, kvCacheTokenCount: Int? = nil,
            sequenceCountMax: Int? = nil, replicaCount: Int = 1, batching: Batching = Batching()
        ) {
            self.name = name
            self.path = path
            self.contextLength = contextLength
            self.kvCacheTokenCount = kvCacheTokenCount
            self.sequenceCountMax = sequenceCountMax
            self.replicaCount = replicaCount
            self.batching = batching
        }

        /// Where `node` finds the file: in its own model folder, if it has one.
        public func path(on node: Node) -> String {
            guard let directory = node.modelDirectory else { return path }
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
        }
    }

    public struct Batching: Hashable, Sendable {
        /// The most rows (tokens) of one step.
        public var stepRowCountMax: Int
        /// More waiting requests than these are refused.
        public var waitingRequestCountMax: Int
        /// More waiting requests of one user than these are refused.
        public var waitingRequestCountMaxPerUser: Int
        /// The longest that a request takes; nil sets no limit.
        public var requestTimeLimitSeconds: Int?

        public init(
            stepRowCountMax: Int = 64, waitingRequestCountMax: Int = 1024, waitingRequestCountMaxPerUser: Int = 256,
            requestTimeLimitSeconds: Int? = nil
        ) {
            self.stepRowCountMax = stepRowCountMax
            self.waitingRequestCountMax = waitingRequestCountMax
            self.waitingRequestCountMaxPerUser = waitingRequestCountMaxPerUser
            self.requestTimeLimitSeconds = requestTimeLimitSeconds
        }
    }

    public struct Node: Hashable, Sendable {
        public var id: NodeID
        /// Where it listens, and where its peers reach it.
        public var host: String
        /// 0 lets the kernel choose; the node tells the coordinator.
        public var port: Int
        /// Threads that compute; nil: one for each of `cpus`, or of the machine's cores.
        public var threadCount: Int?
        /// The processors to run on; nil: any.
        public var cpus: [Int]?
        /// The NUMA node of its memory; nil: any.
        public var numaNode: Int?
        /// For weights and KV; nil: what is free.
        public var memoryLimitBytes: UInt64?
        /// Holds the model files on this host; nil: they are where `models` says.
        public var modelDirectory: String?
        /// Where this host keeps packed weights from start to start; nil keeps none.
        public var weightCacheDirectory: String?
        /// Holds the node's certificate and key on its host; nil: the default place.
        public var dataDirectory: String?

        public init(
            id: NodeID, host: String = "127.0.0.1", port: Int = 0, threadCount: Int? = nil, cpus: [Int]? = nil,
            numaNode: Int? = nil, memoryLimitBytes: UInt64? = nil, modelDirectory: String? = nil,
            weightCacheDirectory: String? = nil, dataDirectory: String? = nil
        ) {
            self.id = id
            self.host = host
            self.port = port
            self.threadCount = threadCount
            self.cpus = cpus
            self.numaNode = numaNode
            self.memoryLimitBytes = memoryLimitBytes
            self.modelDirectory = modelDirectory
            self.weightCacheDirectory = weightCacheDirectory
            self.dataDirectory = dataDirectory
        }
    }

    public struct Security: Hashable, Sendable {
        /// Certificates of an organisation's own authority, on each host at the same path; all three or none. Without
        /// them the coordinator is the authority.
        public var files: Files?
        /// Of the certificates that the coordinator makes.
        public var certificateLifetimeSeconds: Int64

        public init(files: Files? = nil, certificateLifetimeSeconds: Int64 = 86_400) {
            self.files = files
            self.certificateLifetimeSeconds = certificateLifetimeSeconds
        }

        public struct Files: Hashable, Sendable {
            public var certificate: String
            public var key: String
            public var authority: String

            public init(certificate: String, key: String, authority: String) {
                self.certificate = certificate
                self.key = key
                self.authority = authority
            }
        }
    }

    public struct Logging: Hashable, Sendable {
        /// swift-log's names of levels.
        public static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

        /// One of `levels`.
        public var level: String

        public init(level: String = "info") { self.level = level }
    }
}
