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
                guard event.data == "[DONE]" else { return try ServerMessage.chunk(event, url: exchange.url) }
                state = .over
                // The end of the body is here or close behind.
                await exchange.finish()
                return nil
            }
            guard let buffer = try await exchange.next() else {
                throw OpenAIError.incompleteStream(url: exchange.url)
            }
            do {
                events.append(contentsOf: try parser.append(buffer.readableBytesView))
            } catch {
                throw OpenAIError(.badResponse, url: exchange.url, message: "\(error)")
            }
        }
    }
}
