import Distributed
import Identity
import Logging
import Memory
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

/// What would be a process of its own: a loop, a system, and one `Echo` at object 7.
final class TestProcess: Sendable {
    let loop: EventLoop
    let system: ClusterActorSystem
    let notebook = Notebook()
    let security: TransportSecurity?
    let echo: Echo
    private let log: EventLog

    private final class EventLog: Sendable {
        let events = Mutex<[PeerEvent]>([])
    }

    static let object: UInt64 = 7

    init(
        _ name: String, incarnation: UInt64 = .random(in: 1...UInt64.max), role: PeerRole = .node,
        mode: TestMode = .current, credentials: Credentials? = nil, enrolment: (any EnrolmentHandler)? = nil,
        methods: [DistributedMethod] = EchoMethods.list, _ change: (inout TransportOptions) -> Void = { _ in }
    ) async throws {
        var options = TransportOptions()
        options.programVersion = "test"
        // Machines that run tests may be very busy.
        options.connectTimeout = .seconds(30)
        options.handshakeTimeout = .seconds(30)
        options.silenceMax = .seconds(60)
        if let credentials {
            options.security = TransportSecurity(credentials: credentials, enrolment: enrolment)
        } else if mode == .encrypted {
            let certified = try #require(CertifiedRole(rawValue: role.rawValue))
            options.security = TransportSecurity(
                credentials: try TestAuthority.get().credentials(name, certified), enrolment: enrolment)
        }
        change(&options)
        security = options.security
        let node = try #require(NodeID(name))
        let log = EventLog()
        self.log = log
        loop = try EventLoop(name: name)
        system = ClusterActorSystem(
            identity: PeerIdentity(node: node, incarnation: Incarnation(incarnation), role: role), loop: loop,
            methods: try await MethodTable.discover(methods), options: options, pool: BufferPool(),
            logger: Logger(label: name, factory: { _ in SwiftLogNoOpLogHandler() })
        ) { event in log.events.withLock { $0.append(event) } }
        let (system, notebook) = (system, notebook)
        echo = system.withObject(Self.object) { Echo(notebook: notebook, actorSystem: system) }
    }

    var node: NodeID { system.identity.node }
    var events: [PeerEvent] { log.events.withLock { $0 } }

    var connectedCount: Int {
        events.count { if case .connected = $0 { true } else { false } }
    }

    var lostReasons: [String] {
        events.compactMap { if case .lost(_, let reason) = $0 { reason } else { nil } }
    }

    func listen() throws -> Int { try system.listen(host: "127.0.0.1", port: 0) }

    /// The other process's echo, as seen from here.
    func echo(of other: NodeID) throws -> Echo {
        try Echo.resolve(id: ActorAddress(node: other, object: Self.object), using: system)
    }

    func end() async {
        await system.shutdown()
        loop.stop()
    }
}

/// Two connected processes, `a` having opened the lanes.
func withPair(
    _ change: (inout TransportOptions) -> Void = { _ in },
    _ body: (_ a: TestProcess, _ b: TestProcess) async throws -> Void
) async throws {
    let a = try await TestProcess("a", change)
    let b = try await TestProcess("b", change)
    let port = try b.listen()
    try await a.system.connect(host: "127.0.0.1", port: port, expecting: b.node)
    do {
        try await body(a, b)
    } catch {
        await a.end()
        await b.end()
        throw error
    }
    await a.end()
    await b.end()
}

/// Waits until `condition` holds, at most some seconds.
func eventually(
    _ what: Comment, seconds: Double = 10, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = EventLoop.now + .milliseconds(UInt64(seconds * 1000))
    while EventLoop.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(2))
    }
    Issue.record(what, sourceLocation: sourceLocation)
}

/// The error that `body` throws, if it is an `E`.
func error<E: Error, R>(_ type: E.Type, _ body: () async throws -> R) async -> E? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? E
    }
}
