import Foundation
import NIOCore

/// Pulls typed chunks out of an answer of server-sent events.
actor EventStream<Chunk: Decodable & Sendable> {
    private enum State {
        case waiting(@Sendable () async throws -> HTTPExchange)
        case open(HTTPExchange)
        case over
    }

    private var state: State
    private var parser = ServerSentEventParser()
    private var events = CircularBuffer<ServerSentEventParser.Event>()

    init(open: @escaping @Sendable () async throws -> HTTPExchange) { state = .waiting(open) }

    /// Nil after `[DONE]`.
    func next() async throws -> Chunk? {
        do {
            return try await nextChunk()
        } catch {
            if case .open(let exchange) = state { exchange.close() }
            state = .over
            throw error
        }
    }

    private func nextChunk() async throws -> Chunk? {
        let exchange: HTTPExchange
        switch state {
        case .over: return nil
        case .open(let open): exchange = open
        case .waiting(let open):
            exchange = try await open()
            state = .open(exchange)
        }
        while true {
            if let event = events.popFirst() {
                guard event.data == "[DONE]" else { return try decode(event, url: exchange.url) }
                state = .over
                // The end of the body is here or close behind: with it, the connection can be used again.
                do { while try await exchange.next(timeout: .seconds(1)) != nil {} } catch { exchange.close() }
                return nil
            }
            guard let buffer = try await exchange.next() else {
                throw OpenAIError(
                    .connectionLost, url: exchange.url, message: "the stream ended without [DONE]: it is incomplete")
            }
            do {
                events.append(contentsOf: try parser.append(buffer.readableBytesView))
            } catch {
                throw OpenAIError(.badResponse, url: exchange.url, message: "\(error)")
            }
        }
    }

    private func decode(_ event: ServerSentEventParser.Event, url: String) throws -> Chunk {
        let bytes = Array(event.data.utf8)
        if event.name != "error", let chunk = try? JSONDecoder().decode(Chunk.self, from: Data(bytes)) { return chunk }
        if let message = ServerMessage.text(of: bytes) { throw OpenAIError(.server, url: url, message: message) }
        throw OpenAIError(
            .badResponse, url: url, message: "a chunk of the stream is not as expected: \(ServerMessage.excerpt(bytes))"
        )
    }
}
