public import Distributed
public import Logging
public import Memory
import Synchronization
public import Vocabulary
public import Wire

/// Distributed actors over our own lanes. Each distributed method takes exactly one `WireValue` and returns one or
/// nothing.
///
/// - A *call* ends with the reply, with the `RemoteFailure` that the method threw, or with a `TransportError`:
///   deadline, lost connection, no connection. Cancelling the calling task ends it at once and tells the other end.
/// - A *one-way* message is on its way when the call returns; the caller waits only while the lane is full. It is lost
///   without a word when the connection goes.
/// - What one sender tells one actor is done in order, one after another; a method should only check and enqueue.
/// - Actors are held weakly. Actors and tasks run best on `loop`: `unownedExecutor` and `Task(executorPreference:)`.
///
/// `shutdown()` must be called before the system is let go.
public final class ClusterActorSystem: DistributedActorSystem, Sendable {
    public typealias ActorID = ActorAddress
    public typealias SerializationRequirement = any WireValue
    public typealias InvocationEncoder = MessageEncoder
    public typealias InvocationDecoder = MessageDecoder
    public typealias ResultHandler = ReplyHandler

    private enum Mode: Sendable {
        case live(SystemCore)
        /// Calls are noted, not made.
        case probing(MethodProbe)
    }
    private let mode: Mode

    /// - Parameters:
    ///   - loop: runs sockets and timers; the system does not stop it.
    ///   - pool: where received bulk lands.
    ///   - onPeerEvent: called on the loop, in order; must not block.
    public init(
        identity: PeerIdentity, loop: EventLoop, methods: MethodTable, options: TransportOptions = TransportOptions(),
        pool: BufferPool, logger: Logger, onPeerEvent: @escaping @Sendable (PeerEvent) -> Void
    ) {
        let core = SystemCore(
            identity: identity, loop: loop, methods: methods, options: options, pool: pool, logger: logger,
            onPeerEvent: onPeerEvent)
        mode = .live(core)
        core.dispatcher.attach(self)
    }

    init(probe: MethodProbe) { mode = .probing(probe) }

    private var core: SystemCore {
        guard case .live(let core) = mode else {
            preconditionFailure("a system that only probes methods has no actors and no connections")
        }
        return core
    }

    public var identity: PeerIdentity { core.identity }
    public var loop: EventLoop { core.loop }

    // MARK: Task-local values

    /// Who sent the message that is being handled; nil for local calls.
    @TaskLocal public static var sender: PeerIdentity?

    @TaskLocal static var deadline: Instant?

    /// Calls inside `body` fail with `deadlineExceeded` `milliseconds` from now, or earlier if they are inside another
    /// deadline.
    public static func withDeadline<R: Sendable>(
        _ milliseconds: Int, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> R
    ) async rethrows -> R {
        let end = EventLoop.now + .milliseconds(UInt64(max(0, milliseconds)))
        return try await $deadline.withValue(min(end, deadline ?? end), operation: body)
    }

    // MARK: Connections

    /// Accepts connections at `host`, an address or a name of this host; port 0 lets the system choose. Returns the
    /// port.
    ///
    /// Throws `nonLoopback` unless the options allow other addresses, `addressInUse`, `invalidAddress`, `system`.
    @discardableResult
    public func listen(host: String, port: Int) throws(TransportError) -> Int {
        try core.peers.listen(host: host, port: port)
    }

    /// Connects all lanes to the process that listens there; returns at once when that is connected already.
    ///
    /// Throws `TransportError`: `nonLoopback`, `refused`, `unreachable`, `timedOut`, `notAdmitted`, `wrongPeer` (it is
    /// another one than `expecting`).
    @discardableResult
    public func connect(host: String, port: Int, expecting: NodeID? = nil) async throws -> PeerIdentity {
        try await core.peers.connect(host: host, port: port, expecting: expecting)
    }

    /// Says goodbye and closes the lanes. Does nothing without a connection.
    public func disconnect(_ node: NodeID, reason: String) {
        let peers = core.peers
        peers.loop.execute { peers.disconnect(node, reason: reason) }
    }

    public func isConnected(_ node: NodeID) -> Bool { core.peers.peer(node) != nil }

    /// The connected peer of that name.
    public func peer(_ node: NodeID) -> PeerIdentity? { core.peers.peer(node)?.identity }

    /// All connected peers, in order of their names.
    public var connectedPeers: [PeerIdentity] { core.peers.all.map(\.identity) }

    func connectedPeer(_ node: NodeID) -> Peer? { core.peers.peer(node) }

    /// The rate in bytes a second at which bulk is sent to a peer and the delay in seconds of the queue on the way,
    /// while that is controlled.
    package func bulkPacing(of node: NodeID) async -> (rate: Double, delay: Double)? {
        guard let peer = connectedPeer(node) else { return nil }
        return await withCheckedContinuation { continuation in
            loop.execute { continuation.resume(returning: peer.pacer.state) }
        }
    }

    var bulkTimeout: Instant.Span { core.options.bulkTimeout }

    /// Says goodbye to all peers, stops listening, and returns once all lanes are closed, at most a second later. What
    /// was queued is still sent.
    public func shutdown() async {
        let peers = core.peers
        await withCheckedContinuation { continuation in
            peers.loop.execute { peers.shutDown { continuation.resume() } }
        }
    }

    // MARK: Actors

    private final class Reservation: Sendable {
        private let object: Mutex<UInt64?>
        init(_ object: UInt64) { self.object = Mutex(object) }
        func take() -> UInt64? {
            object.withLock { object in
                defer { object = nil }
                return object
            }
        }
    }

    @TaskLocal private static var reservation: Reservation?

    /// The next actor that `make` creates in this system gets the object number `object`.
    public func withObject<A>(_ object: UInt64, _ make: () throws -> A) rethrows -> A {
        try Self.$reservation.withValue(Reservation(object), operation: make)
    }

    /// A remote reference for the probes of `DistributedMethod`.
    public func stub<Act: DistributedActor>(of type: Act.Type) throws -> Act
    where Act.ActorSystem == ClusterActorSystem {
        try Act.resolve(id: ActorAddress(node: .coordinator, object: 0), using: self)
    }

    public func resolve<Act: DistributedActor>(id: ActorAddress, as type: Act.Type) throws -> Act?
    where Act.ID == ActorAddress {
        guard case .live(let core) = mode, id.node == core.identity.node else { return nil }
        guard let actor = core.directory[id.object]?.actor() as? Act else {
            throw TransportError(.unknownObject, "there is no \(type) at \(id)", peer: id.node)
        }
        return actor
    }

    public func assignID<Act: DistributedActor>(_ type: Act.Type) -> ActorAddress where Act.ID == ActorAddress {
        ActorAddress(
            node: core.identity.node, object: Self.reservation?.take() ?? core.directory.nextNumber())
    }

    public func actorReady<Act: DistributedActor>(_ actor: Act) where Act.ID == ActorAddress {
        core.directory.add(actor)
    }

    public func resignID(_ id: ActorAddress) { core.directory.remove(id.object) }

    // MARK: Calls

    public func makeInvocationEncoder() -> MessageEncoder { MessageEncoder() }

    public func remoteCall<Act, Err, Res>(
        on actor: Act, target: RemoteCallTarget, invocation: inout MessageEncoder, throwing: Err.Type,
        returning: Res.Type
    ) async throws -> Res where Act: DistributedActor, Act.ID == ActorAddress, Err: Error, Res: WireValue {
        let message = try invocation.message(of: target.identifier)
        switch mode {
        case .live(let core):
            return try await core.call(actor.id, target: target.identifier, message: message)
        case .probing(let probe):
            probe.note(
                MethodProbe.Finding(
                    target: target.identifier, actorType: ObjectIdentifier(Act.self),
                    argumentType: type(of: message), resultType: Res.self))
            throw MethodProbe.End()
        }
    }

    public func remoteCallVoid<Act, Err>(
        on actor: Act, target: RemoteCallTarget, invocation: inout MessageEncoder, throwing: Err.Type
    ) async throws where Act: DistributedActor, Act.ID == ActorAddress, Err: Error {
        let message = try invocation.message(of: target.identifier)
        switch mode {
        case .live(let core):
            try await core.tell(actor.id, target: target.identifier, message: message)
        case .probing(let probe):
            probe.note(
                MethodProbe.Finding(
                    target: target.identifier, actorType: ObjectIdentifier(Act.self),
                    argumentType: type(of: message), resultType: nil))
            throw MethodProbe.End()
        }
    }
}
