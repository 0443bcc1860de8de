/// Why a request to a server got no result. Cancellation is not among these: it throws `CancellationError`.
public struct OpenAIError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// The URL cannot be used.
        case badURL
        /// No connection could be made.
        case unreachable
        case timeout
        /// The connection ended before the answer did.
        case connectionLost
        /// The server answered with this status, 300 or above.
        case status(Int)
        /// The server reported an error inside a stream that had begun.
        case server
        /// The answer is not what the interface promises.
        case badResponse
    }

    public var kind: Kind
    public var url: String
    /// The cause; with `.status` and `.server`, the server's own message.
    public var message: String

    public init(_ kind: Kind, url: String, message: String) {
        self.kind = kind
        self.url = url
        self.message = message
    }

    static func incompleteStream(url: String) -> OpenAIError {
        OpenAIError(.connectionLost, url: url, message: "the stream ended without [DONE]: it is incomplete")
    }

    public var description: String {
        if case .status(let status) = kind { return "\(url) answered \(status): \(message)" }
        return "\(url): \(message)"
    }
}
