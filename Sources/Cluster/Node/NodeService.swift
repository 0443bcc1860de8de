import Foundation
import Inference
public import Logging
import Memory
import Orchestration
import Synchronization
public import Tensors
public import Transport
public import Vocabulary
import Wire

/// What a node is told by its command line or configuration.
public struct NodeSettings: Sendable {
    public var node: NodeID
    public var coordinatorHost: String
    public var coordinatorPort: Int
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = 0
    public var threadCount: Int
    public var cpus: [Int]?
    public var numaNode: Int?
    public var memoryLimitBytes: UInt64
    public var modelFiles: [String] = []
    public var modelFolders: [String] = []
    /// Where packed weights are kept from start to start; nil keeps none.
    public var weightCacheFolder: String?
    public var instructionSet: InstructionSet = .best
    public var version = ""

    public init(
        node: NodeID, coordinatorHost: String, coordinatorPort: Int, threadCount: Int, memoryLimitBytes: UInt64
    ) {
        self.node = node
        self.coordinatorHost = coordinatorHost
        self.coordinatorPort = coordinatorPort
        self.threadCount = threadCount
        self.memoryLimitBytes = memoryLimitBytes
    }
}

/// A node in this process: joins its coordinator, and joins it again whenever the connection is lost.
public final class NodeService: Sendable {
    private let settings: NodeSettings
    private let system: ClusterActorSystem
    private let shell: NodeShell
    package let node: Node
    private let identity: PeerIdentity
    /// Where other nodes reach it.
    public let port: Int
    private let coordinatorLosses: AsyncStream<String>
    private let speed: (readBytesPerSecond: Double, multiplyAddsPerSecond: Double)
    private let logger: Logger
    private let security: NodeSecurity?

    /// Starts to listen; throws when it can't, or when threads or instruction set are not to be had.
    ///
    /// - Parameter security: of this node's name; nil runs it in plain text, with nobody authenticated.
    public init(
        settings: NodeSettings, security: NodeSecurity?, options: TransportOptions, logger: Logger
    ) async throws {
        var options = options
        options.security = security?.transport
        self.security = security
        self.settings = settings
        self.logger = logger
        identity = PeerIdentity(
            node: settings.node, incarnation: Incarnation(.random(in: 1 ... .max)), role: .node)
        let hook = PeerEventHook()
        let pool = BufferPool()
        system = ClusterActorSystem(
            identity: identity, loop: try EventLoop(), methods: try await ClusterMethods.discover(), options: options,
            pool: pool, logger: logger, onPeerEvent: { hook.call($0) })
        let context = try ComputeContext(
            layout: try Self.layout(settings), instructionSet: settings.instructionSet)
        speed = MachineProbe.measure(context)
        let library = ModelLibrary(files: settings.modelFiles, folders: settings.modelFolders)
        let cache = settings.weightCacheFolder.map { folder in
            WeightCache(folder: folder) { WeightCacheThread.log($0, to: logger) }
        }
        let cacheThread = cache.map { WeightCacheThread($0) }
        let placement = settings.numaNode.map { Placement.numaNode($0) } ?? .anywhere
        let compute = ComputeThread(name: "compute") {
            do {
                try context.bindCallingThread()
            } catch {
                logger.warning("the compute thread is not pinned: \(error)")
            }
            return StageStore(
                context: context, library: library, placement: placement, cache: cache,
                onLoaded: { cacheThread?.wake() }, logger: logger)
        }
        let shell = NodeShell(
            core: NodeCore(node: settings.node), system: system, compute: compute, library: library, pool: pool,
            logger: logger)
        self.shell = shell
        node = system.withObject(WellKnownObject.node) { [system] in
            Node(shell: shell, security: security, actorSystem: system)
        }
        let (losses, continuation) = AsyncStream<String>.makeStream()
        coordinatorLosses = losses
        hook.set { event in
            guard case .lost(let peer, let reason) = event else { return }
            if peer.role == .coordinator { continuation.yield(reason) }
            // At once and on the loop, where peers are lost: so it stays before what comes from them next.
            shell.assumeIsolated {
                _ = $0.handle(peer.role == .coordinator ? .coordinatorLost : .peerLost(peer.node, reason: reason))
            }
        }
        port = try system.listen(host: settings.host, port: settings.port)
    }

    /// Threads that were given CPUs are bound to them; else they stay on the NUMA node of the memory, or each on one of
    /// all NUMA nodes.
    private static func layout(_ settings: NodeSettings) throws -> ThreadLayout {
        let threadCount = settings.threadCount
        if let cpus = settings.cpus {
            guard cpus.count >= threadCount else {
                throw ClusterError(
                    "\(cpus.count) CPUs given for \(threadCount) compute threads; give one for each thread")
            }
            return .cpus(Array(cpus.prefix(threadCount)))
        }
        if let node = settings.numaNode { return .node(node, threadCount: threadCount) }
        return .allNodes(threadCount: threadCount)
    }

    /// Joins and stays joined until the task is cancelled.
    public func run() async {
        let renewing = Task { await renewCertificates() }
        defer { renewing.cancel() }
        var delayMilliseconds: UInt64 = 100
        var losses = coordinatorLosses.makeAsyncIterator()
        while !Task.isCancelled {
            do {
                try await join()
                delayMilliseconds = 100
                guard let reason = await losses.next() else { break }
                logger.warning("lost the coordinator: \(reason); joining again")
            } catch {
                logger.warning(
                    """
                    could not join \(settings.coordinatorHost):\(settings.coordinatorPort): \(error); \
                    trying again in \(delayMilliseconds) ms
                    """)
                // Half fixed, half random, so that nodes which lost a coordinator together do not return together.
                let jittered = delayMilliseconds / 2 + .random(in: 0...(delayMilliseconds / 2))
                try? await Task.sleep(for: .milliseconds(jittered))
                delayMilliseconds = min(delayMilliseconds * 2, 5_000)
            }
        }
        await leave()
    }

    private func renewCertificates() async {
        let system = system
        await security?.keepCurrent { request in
            let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
            return try await Coordinator.resolve(id: address, using: system).renewCertificate(request)
        }
    }

    private func join() async throws {
        _ = try await system.connect(
            host: settings.coordinatorHost, port: settings.coordinatorPort, expecting: .coordinator)
        let description = NodeDescription(
            node: settings.node, incarnation: identity.incarnation, host: settings.host, port: port,
            processID: ProcessInfo.processInfo.processIdentifier, threadCount: settings.threadCount,
            coreCount: ProcessInfo.processInfo.activeProcessorCount, numaNodeCount: NumaTopology.nodeCount,
            instructionSet: settings.instructionSet.rawValue, memoryLimitBytes: settings.memoryLimitBytes,
            readBytesPerSecond: speed.readBytesPerSecond, multiplyAddsPerSecond: speed.multiplyAddsPerSecond,
            version: settings.version)
        let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
        let reply = try await Coordinator.resolve(id: address, using: system)
            .register(RegisterRequest(description: description))
        await shell.handle(.registered(reply.stamp.term))
        logger.info("joined the cluster as '\(settings.node)', listening on \(settings.host):\(port)")
    }

    /// A stage as those are that the node makes when it is told to.
    package func makeStage() -> Stage { Stage(shell: shell, actorSystem: system) }

    private func leave() async {
        let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
        if system.isConnected(.coordinator) {
            try? await Coordinator.resolve(id: address, using: system).nodeLeaving(NodeLeaving(reason: "stopped"))
        }
        await system.shutdown()
    }
}
