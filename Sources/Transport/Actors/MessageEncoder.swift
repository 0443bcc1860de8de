public import Distributed
public import Wire

/// Holds the one message that a distributed call takes.
public struct MessageEncoder: DistributedTargetInvocationEncoder {
    public typealias SerializationRequirement = any WireValue

    private(set) var messages: [any WireValue] = []

    init() {}

    public mutating func recordGenericSubstitution<T>(_ type: T.Type) throws {
        throw TransportError(.invalidMethod, "distributed methods and their actors cannot be generic (\(type))")
    }

    public mutating func recordArgument<Value: WireValue>(_ argument: RemoteCallArgument<Value>) throws {
        messages.append(argument.value)
    }

    public mutating func recordReturnType<R: WireValue>(_ type: R.Type) throws {}
    public mutating func recordErrorType<E: Error>(_ type: E.Type) throws {}
    public mutating func doneRecording() throws {}

    func message(of target: String) throws(TransportError) -> any WireValue {
        guard let message = messages.first, messages.count == 1 else {
            throw TransportError(
                .invalidMethod, "\(target) takes \(messages.count) arguments; distributed methods take one message")
        }
        return message
    }
}
