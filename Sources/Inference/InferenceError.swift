/// Why a stage could not be loaded or a step not be computed. The message names the thing and, where there is one,
/// the fix.
public struct InferenceError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// The model file has not what the stage needs.
        case unsuitableModel
        /// The asked-for stage makes no sense: layers outside the model, no blocks, no rows.
        case invalidStage
        /// The batch contradicts itself, the stage or the model. Nothing of it was computed.
        case invalidBatch
        case outOfMemory
    }
    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
