import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Turns everything that can go wrong in a handler into an error of OpenAI's shape.
struct ErrorMiddleware: RouterMiddleware {
    typealias Context = GatewayContext

    /// The methods of each path without parameters.
    let methods: [String: [HTTPRequest.Method]]
    let logger: Logger

    func handle(
        _ request: Request, context: GatewayContext, next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return Response(error)
        } catch is NIOTooManyBytesError {
            return Response(
                APIError(
                    status: .contentTooLarge, type: "invalid_request_error", message: "the body is too large"))
        } catch let error as HTTPError where error.status == .notFound {
            return notFound(request)
        } catch let error as any HTTPResponseError {
            return Response(
                APIError(status: error.status, type: "invalid_request_error", message: error.status.reasonPhrase))
        } catch is CancellationError {
            return Response(.clientGone)
        } catch {
            logger.error("\(request.method) \(request.uri.path) failed: \(error)")
            return Response(.internalFault("the gateway failed; its log says more"))
        }
    }

    private func notFound(_ request: Request) -> Response {
        let path = request.uri.path
        guard let allowed = methods[path], !allowed.contains(request.method) else {
            return Response(
                APIError(
                    status: .notFound, type: "invalid_request_error",
                    message: "there is nothing at \(request.method) \(path)", code: "unknown_url"))
        }
        let list = allowed.map(\.rawValue).joined(separator: ", ")
        var response = Response(
            APIError(
                status: .methodNotAllowed, type: "invalid_request_error",
                message: "\(path) takes \(list), not \(request.method)", code: "method_not_allowed"))
        response.headers[.allow] = list
        return response
    }
}

extension Response {
    init(_ json: JSONValue, status: HTTPResponse.Status = .ok) {
        self.init(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.serialized())))
    }

    init(_ error: APIError) {
        self.init(error.body, status: error.status)
        if let seconds = error.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
    }
}
