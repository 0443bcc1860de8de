import HTTPTypes
import Vocabulary

/// What a client is told when its request fails, in the shape OpenAI's servers use.
struct APIError: Error, CustomStringConvertible {
    var status: HTTPResponse.Status
    /// OpenAI's class of the error: "invalid_request_error", "server_error", ...
    var type: String
    /// Names the thing and the fix.
    var message: String
    /// The request's field at fault.
    var param: String?
    var code: String?
    /// Header `Retry-After`.
    var retryAfterSeconds: Int?

    var description: String { message }

    var body: JSONValue {
        [
            "error": [
                "message": .string(message),
                "type": .string(type),
                "param": param.map { .string($0) } ?? nil,
                "code": code.map { .string($0) } ?? nil,
            ]
        ]
    }

    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: .badRequest, type: "invalid_request_error", message: message, param: param, code: code)
    }

    static func unsupported(_ message: String, param: String) -> APIError {
        invalid(message, param: param, code: "unsupported_parameter")
    }

    static func unknownModel(_ name: String, served: String) -> APIError {
        APIError(
            status: .notFound, type: "invalid_request_error", message: "there is no model '\(name)'; \(served)",
            param: "model", code: "model_not_found")
    }

    static func internalFault(_ message: String) -> APIError {
        APIError(status: .internalServerError, type: "server_error", message: message)
    }

    /// The client ended the connection: nobody will read the answer.
    static let clientGone = APIError(
        status: HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request"), type: "invalid_request_error",
        message: "the client closed the connection")

    init(
        status: HTTPResponse.Status, type: String, message: String, param: String? = nil, code: String? = nil,
        retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.type = type
        self.message = message
        self.param = param
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
    }

    init(_ failure: GenerationFailure) {
        self.init(status: .internalServerError, type: "server_error", message: failure.message)
        switch failure.kind {
        case .invalid:
            status = .badRequest
            type = "invalid_request_error"
        case .unknownModel:
            status = .notFound
            type = "invalid_request_error"
            param = "model"
            code = "model_not_found"
        case .unavailable:
            status = .serviceUnavailable
            type = "service_unavailable_error"
            code = "unavailable"
            retryAfterSeconds = failure.retryAfterSeconds ?? 5
        case .overloaded:
            status = .serviceUnavailable
            type = "service_unavailable_error"
            code = "overloaded"
            retryAfterSeconds = failure.retryAfterSeconds ?? 1
        case .rateLimited:
            status = .tooManyRequests
            type = "rate_limit_error"
            code = "rate_limit_exceeded"
            retryAfterSeconds = failure.retryAfterSeconds ?? 1
        case .timedOut:
            status = .gatewayTimeout
            code = "timeout"
        case .interrupted:
            code = "interrupted"
        case .cancelled:
            status = .serviceUnavailable
            code = "cancelled"
        }
    }
}
