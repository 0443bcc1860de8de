/// Why a model cannot be placed on the nodes there are.
public struct PlanningFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var reason: String
    public init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}
