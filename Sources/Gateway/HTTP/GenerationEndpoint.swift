import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Vocabulary

/// `POST /v1/completions` and `POST /v1/chat/completions`.
struct GenerationEndpoint: Sendable {
    let service: any GenerationService
    let catalog: ModelCatalog
    let settings: GatewaySettings
    let logger: Logger

    func complete(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let body = try await request.decodeBody(as: CompletionRequest.self, byteCountMax: settings.bodyByteCountMax)
        var job = try GenerationJob(body, catalog: catalog, generationCountMax: settings.generationCountMax)
        job.setKey(try Self.key(of: request))
        return try await serve(job, context)
    }

    func chat(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let body = try await request.decodeBody(as: ChatRequest.self, byteCountMax: settings.bodyByteCountMax)
        var job = try GenerationJob(body, catalog: catalog, generationCountMax: settings.generationCountMax)
        job.setKey(try Self.key(of: request))
        return try await serve(job, context)
    }

    /// The key that a client shows, which nobody checks: it only tells clients apart.
    private static func key(of request: Request) throws(APIError) -> String {
        guard let value = request.headers[.authorization], value.lowercased().hasPrefix("bearer ") else { return "" }
        let key = value.dropFirst("bearer ".count).trimmingCharacters(in: .whitespaces)
        guard key.utf8.count <= GenerationOptions.nameByteCountMax else {
            throw .invalid("the key of the Authorization header has more than 256 bytes")
        }
        return key
    }

    private func serve(_ job: GenerationJob, _ context: GatewayContext) async throws(APIError) -> Response {
        let feed = GenerationFeed(
            job.choices.map(\.request), service: service, tickInterval: job.streams ? settings.pingInterval : nil,
            watch: await context.connectionWatch())
        return job.streams ? try await stream(job, feed) : Response(try await whole(job, feed))
    }

    private func whole(_ job: GenerationJob, _ feed: GenerationFeed) async throws(APIError) -> JSONValue {
        defer { feed.stop() }
        var reply = Reply(job)
        var deltas = job.choices.map { _ in ChoiceProgress.Delta() }
        for await item in feed.items {
            guard let (choice, delta) = try reply.take(item) else { continue }
            deltas[choice].text += delta.text
            deltas[choice].logprobs += delta.logprobs
            guard let reason = delta.finishReason else { continue }
            deltas[choice].finishReason = reason
            if reply.isFinished {
                note(reply)
                return reply.whole(deltas)
            }
        }
        throw .clientGone
    }

    /// Answers with a stream as soon as there is something to send, a comment at the latest, so that what fails
    /// before can still be told by the status.
    private func stream(_ job: GenerationJob, _ feed: GenerationFeed) async throws(APIError) -> Response {
        var stream = EventStream(Reply(job))
        var opening = ByteBuffer()
        do {
            for await item in feed.items {
                opening = try stream.take(item)
                if opening.readableBytes > 0 { break }
            }
            if opening.readableBytes == 0 { throw APIError.clientGone }
        } catch {
            feed.stop()
            throw error as? APIError ?? .internalFault("\(error)")
        }
        let body = ResponseBody { [stream, opening] writer in
            defer { feed.stop() }
            var stream = stream
            var bytes = opening
            do {
                try await writer.write(bytes)
                if !stream.reply.isFinished {
                    for await item in feed.items {
                        bytes = try stream.take(item)
                        if bytes.readableBytes > 0 { try await writer.write(bytes) }
                        if stream.reply.isFinished { break }
                    }
                }
                // The feed ended with the client, or the server's patience.
                guard stream.reply.isFinished else { throw APIError.clientGone }
                note(stream.reply)
                try await writer.write(stream.end())
            } catch let error as APIError where error.status != APIError.clientGone.status {
                logger.warning("\(job.id) failed while it was streamed: \(error)")
                try await writer.write(EventStream.failure(error))
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache",
                .init("X-Accel-Buffering")!: "no",
            ], body: body)
    }

    private func note(_ reply: Reply) {
        let total = reply.total
        let promptCount = max(0, total.promptTokenCount - total.cachedTokenCount)
        logger.info(
            """
            \(reply.job.id): prompt \(promptCount) tokens (+\(total.cachedTokenCount) cached) \
            in \(Self.milliseconds(total.promptSeconds)) ms, output \(total.outputTokenCount) tokens \
            in \(Self.milliseconds(total.outputSeconds)) ms \
            (\(Self.milliseconds(Reply.rate(total.outputTokenCount, total.outputSeconds) / 1000)) tokens/s)
            """)
    }

    /// With one digit after the point.
    private static func milliseconds(_ seconds: Double) -> String {
        "\((min(seconds, 1e12) * 10_000).rounded() / 10)"
    }
}
