public import Wire

/// A distributed method as `Protocols/methods.txt` lists it.
public struct DistributedMethod: Sendable {
    public var number: UInt16
    /// "Coordinator.register"
    public var name: String
    /// The lane on which it is called.
    public var lane: Lane
    /// Is not answered; the method returns nothing.
    public var isOneWay: Bool
    /// Calls the method once, with an argument made by `init()`, on a stub from the system's `stub(of:)`.
    public var probe: @Sendable (ClusterActorSystem) async throws -> Void

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
}
