import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Vocabulary

/// Which path is answered by what.
struct GatewayRoutes: Sendable {
    let service: any GenerationService
    let catalog: ModelCatalog
    let version: String
    let metricsText: (@Sendable () -> String)?
    let endpoint: GenerationEndpoint
    /// Seconds since 1970.
    let startTime = Int(Date().timeIntervalSince1970)

    func router(logger: Logger) -> Router<GatewayContext> {
        let router = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        let reading: [HTTPRequest.Method] = [.get, .head]
        let methods = [
            "/health": reading, "/version": reading, "/metrics": reading, "/v1/models": reading,
            "/v1/completions": [.post], "/v1/chat/completions": [.post],
        ]
        router.add(middleware: ErrorMiddleware(methods: methods, logger: logger))
        router.get("/health") { _, _ in await health() }
        router.get("/version") { _, _ in Response(["version": .string(version)]) }
        router.get("/metrics") { _, _ in try metrics() }
        router.get("/v1/models") { _, _ in
            Response(["object": "list", "data": .array(catalog.profiles.map { describe($0) })])
        }
        router.get("/v1/models/**") { request, _ in try model(at: request.uri.path) }
        router.post("/v1/completions") { request, context in try await endpoint.complete(request, context) }
        router.post("/v1/chat/completions") { request, context in try await endpoint.chat(request, context) }
        return router
    }

    private func health() async -> Response {
        guard let reason = await service.unreadyReason() else { return Response(["status": "ok"]) }
        return Response(["status": "loading", "reason": .string(reason)], status: .serviceUnavailable)
    }

    private func metrics() throws(APIError) -> Response {
        guard let metricsText else {
            throw APIError(
                status: .notFound, type: "invalid_request_error", message: "this gateway keeps no metrics",
                code: "unknown_url")
        }
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: metricsText())))
    }

    /// The name of a model may have slashes, written as they are or escaped.
    private func model(at path: String) throws(APIError) -> Response {
        let escaped = String(path.dropFirst("/v1/models/".count))
        let name = escaped.removingPercentEncoding ?? escaped
        guard let profile = catalog.profiles.first(where: { $0.name == name }) else {
            throw .unknownModel(name, served: ModelCatalog.list(catalog.profiles))
        }
        return Response(describe(profile))
    }

    private func describe(_ profile: ModelProfile) -> JSONValue {
        [
            "id": .string(profile.name), "object": "model", "created": .integer(startTime), "owned_by": "shardline",
            "max_model_len": .integer(profile.contextLength),
            "meta": [
                "n_vocab": .integer(profile.vocabularySize), "n_ctx_train": .integer(profile.contextLength),
                "n_embd": .integer(profile.hiddenSize), "n_layer": .integer(profile.layerCount),
            ],
        ]
    }
}
