public import Distributed
public import Wire

/// Gives a distributed method the message that came for it.
public struct MessageDecoder: DistributedTargetInvocationDecoder {
    public typealias SerializationRequirement = any WireValue

    private var message: (any WireValue)?

    init(_ message: any WireValue) { self.message = message }

    public mutating func decodeGenericSubstitutions() throws -> [any Any.Type] { [] }

    public mutating func decodeNextArgument<Argument: WireValue>() throws -> Argument {
        guard let argument = message as? Argument else {
            throw TransportError(.invalidMessage, "the method takes another message than the one that came")
        }
        message = nil
        return argument
    }

    public mutating func decodeErrorType() throws -> (any Any.Type)? { nil }
    public mutating func decodeReturnType() throws -> (any Any.Type)? { nil }
}
