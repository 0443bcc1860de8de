public import Distributed
public import Wire

/// A distributed method as `Protocols/methods.txt` lists it.
public struct DistributedMethod: Sendable {
    /// Calls the method on a local actor; a method without a result gives `Empty`.
    typealias Invoke = @Sendable (any DistributedActor, any WireValue) async throws -> any WireValue

    public var number: UInt16
    /// "Coordinator.register"
    public var name: String
    /// The lane on which it is called.
    public var lane: Lane
    /// Is not answered; the method returns nothing.
    public var isOneWay: Bool
    /// Calls the method once, with an argument made by `init()`, on a stub from the system's `stub(of:)`.
    public var probe: @Sendable (ClusterActorSystem) async throws -> Void
    /// Nil: the method is found by its mangled name at each call, which costs some 5 microseconds.
    var invoke: Invoke?

    public init(
        number: UInt16, name: String, lane: Lane, isOneWay: Bool,
        probe: @escaping @Sendable (ClusterActorSystem) async throws -> Void
    ) {
        self.number = number
        self.name = name
        self.lane = lane
        self.isOneWay = isOneWay
        self.probe = probe
    }

    /// A method with a result; `call` is `{ try await $0.register($1) }`, with the types spelled out.
    public init<Act: DistributedActor, Argument: WireValue, Result: WireValue>(
        number: UInt16, name: String, lane: Lane,
        call: @escaping @Sendable (Act, Argument) async throws -> Result
    ) where Act.ActorSystem == ClusterActorSystem {
        self.init(number: number, name: name, lane: lane, isOneWay: false) { system in
            _ = try await call(try system.stub(of: Act.self), Argument())
        }
        invoke = { actor, message in
            let (actor, argument): (Act, Argument) = try Self.cast(actor, message)
            return try await call(actor, argument)
        }
    }

    /// A method without a result, called or told.
    public init<Act: DistributedActor, Argument: WireValue>(
        number: UInt16, name: String, lane: Lane, isOneWay: Bool,
        call: @escaping @Sendable (Act, Argument) async throws -> Void
    ) where Act.ActorSystem == ClusterActorSystem {
        self.init(number: number, name: name, lane: lane, isOneWay: isOneWay) { system in
            try await call(try system.stub(of: Act.self), Argument())
        }
        invoke = { actor, message in
            let (actor, argument): (Act, Argument) = try Self.cast(actor, message)
            try await call(actor, argument)
            return Empty()
        }
    }

    private static func cast<Act: DistributedActor, Argument: WireValue>(
        _ actor: any DistributedActor, _ message: any WireValue
    ) throws(TransportError) -> (Act, Argument) {
        guard let actor = actor as? Act, let message = message as? Argument else {
            throw TransportError(.invalidMessage, "the method takes another message than the one that came")
        }
        return (actor, message)
    }
}
