import Foundation
import NIOCore
import NIOHTTP1

/// A client of one OpenAI-compatible server over HTTP/1.1. Connections are kept and used again; any number of
/// requests may run at once. Cancelling a task, or dropping a stream, closes its connection.
public final class OpenAIClient: Sendable {
    public struct Timeouts: Hashable, Sendable {
        public var connect: Duration
        /// Until the head of the answer: long, as a server may read the whole prompt before it answers.
        public var firstByte: Duration
        /// Between two pieces of the body; a server's comments count as pieces.
        public var idle: Duration

        public init(
            connect: Duration = .seconds(10), firstByte: Duration = .seconds(600), idle: Duration = .seconds(300)
        ) {
            self.connect = connect
            self.firstByte = firstByte
            self.idle = idle
        }
    }

    /// Of an answer that is not a stream.
    static let bodyByteCountMax = 256 << 20

    public let server: ServerURL
    private let apiKey: String?
    private let timeouts: Timeouts
    private let pool: ConnectionPool

    /// - Parameter baseURL: with or without `/v1` at its end.
    public convenience init(
        baseURL: String, apiKey: String? = nil, timeouts: Timeouts = Timeouts()
    ) throws(OpenAIError) {
        self.init(server: try ServerURL(baseURL), apiKey: apiKey, timeouts: timeouts)
    }

    public init(server: ServerURL, apiKey: String? = nil, timeouts: Timeouts = Timeouts()) {
        self.server = server
        self.apiKey = apiKey
        self.timeouts = timeouts
        self.pool = ConnectionPool(server: server, connectTimeout: TimeAmount(timeouts.connect))
    }

    /// Closes the connections that are not in use.
    public func closeIdleConnections() { pool.closeIdle() }

    // MARK: - Requests

    /// Any request, whatever the status of its answer. `path` begins with a slash.
    public func send(
        _ method: String, _ path: String, body: [UInt8] = [], contentType: String = "application/json"
    ) async throws -> (status: Int, body: [UInt8]) {
        let exchange = try await exchange(method, path, body: body, contentType: contentType, accept: "*/*")
        let status = Int(exchange.head.status.code)
        return (status, try await exchange.body(byteCountMax: Self.bodyByteCountMax))
    }

    public func get<Answer: Decodable>(_ path: String, as type: Answer.Type = Answer.self) async throws -> Answer {
        let exchange = try await exchange("GET", path, body: [], contentType: nil, accept: "application/json")
        return try await decode(exchange, as: type)
    }

    public func post<Answer: Decodable>(
        _ path: String, _ body: some Encodable, as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        let bytes = try encode(body, path: path)
        let exchange = try await exchange(
            "POST", path, body: bytes, contentType: "application/json", accept: "application/json")
        return try await decode(exchange, as: type)
    }

    /// The chunks of a stream of server-sent events that ends with `[DONE]`. The request is sent when the first
    /// chunk is asked for, and chunks are read from the socket as they are asked for.
    public func stream<Chunk: Decodable & Sendable>(
        _ path: String, _ body: some Encodable & Sendable, as type: Chunk.Type = Chunk.self
    ) -> AsyncThrowingStream<Chunk, any Error> {
        let events = EventStream<Chunk> { [self] in try await openStream(path, body) }
        return AsyncThrowingStream { try await events.next() }
    }

    /// The events of a stream of server-sent events before its `[DONE]`, each handed to `receive` on the connection's
    /// own thread as it arrives: the least work for each, for programs that read very many. `receive` must not block;
    /// an error that it throws closes the connection and is thrown.
    public func forEachEvent(
        of path: String, _ body: some Encodable & Sendable,
        receive: @escaping @Sendable (ServerSentEventParser.Event) throws -> Void
    ) async throws {
        let exchange = try await openStream(path, body)
        let splitter = EventSplitter()
        try await exchange.forEachPiece { buffer in
            for event in try splitter.events(in: buffer, url: exchange.url) { try receive(event) }
            return !splitter.isDone
        }
        guard splitter.isDone else { throw OpenAIError.incompleteStream(url: exchange.url) }
        await exchange.finish()
    }

    /// `event` as a `Chunk`; an error that it reports, and what is no chunk, is thrown.
    public func chunk<Chunk: Decodable>(
        _ event: ServerSentEventParser.Event, of path: String, as type: Chunk.Type = Chunk.self
    ) throws(OpenAIError) -> Chunk {
        try ServerMessage.chunk(event, url: server.url(path))
    }

    // MARK: - Parts

    private func openStream(_ path: String, _ body: some Encodable) async throws -> HTTPExchange {
        let bytes = try encode(body, path: path)
        let exchange = try await exchange(
            "POST", path, body: bytes, contentType: "application/json", accept: "text/event-stream")
        try await checkStatus(exchange)
        let contentType = exchange.head.headers.first(name: "content-type") ?? "nothing"
        guard contentType.lowercased().hasPrefix("text/event-stream") else {
            throw OpenAIError(
                .badResponse, url: exchange.url,
                message: "a stream of events was asked for, but the server sent \(contentType)")
        }
        return exchange
    }

    private func exchange(
        _ method: String, _ path: String, body: [UInt8], contentType: String?, accept: String
    ) async throws -> HTTPExchange {
        let url = server.url(path)
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw OpenAIError(.badURL, url: url, message: "the path has a space or a character that is not ASCII in it")
        }
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: server.prefix + path)
        head.headers.add(name: "Host", value: server.authority)
        head.headers.add(name: "User-Agent", value: "shardline")
        head.headers.add(name: "Accept", value: accept)
        if let contentType, !body.isEmpty { head.headers.add(name: "Content-Type", value: contentType) }
        if !body.isEmpty || method != "GET" { head.headers.add(name: "Content-Length", value: "\(body.count)") }
        if let apiKey { head.headers.add(name: "Authorization", value: "Bearer \(apiKey)") }
        let timeout = TimeAmount(timeouts.firstByte)
        var freshOnly = false
        while true {
            let (connection, isReused) = try await pool.take(freshOnly: freshOnly)
            do {
                connection.send(head, body: body)
                guard case .head(let response) = try await connection.next(timeout: timeout) else {
                    throw ConnectionEnd.malformed("the answer does not begin with a status line")
                }
                return HTTPExchange(
                    head: response, url: url, connection: connection, pool: pool,
                    idleTimeout: TimeAmount(timeouts.idle))
            } catch ConnectionEnd.closed where isReused {
                // The server closed it while it was idle, just as we began to use it: not a word was answered.
                freshOnly = true
            } catch let end as ConnectionEnd {
                connection.close()
                throw HTTPExchange.explain(end, url: url, place: "before it answered", timeout: timeout)
            } catch {
                connection.close()
                throw error
            }
        }
    }

    private func encode(_ body: some Encodable, path: String) throws -> [UInt8] {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
            return Array(try encoder.encode(body))
        } catch {
            throw OpenAIError(
                .badURL, url: server.url(path), message: "the request cannot be written as JSON: \(error)")
        }
    }

    private func decode<Answer: Decodable>(_ exchange: HTTPExchange, as type: Answer.Type) async throws -> Answer {
        try await checkStatus(exchange)
        let bytes = try await exchange.body(byteCountMax: Self.bodyByteCountMax)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw OpenAIError(
                .badResponse, url: exchange.url,
                message: "the answer is not the JSON that was expected: \(ServerMessage.excerpt(bytes))")
        }
    }

    private func checkStatus(_ exchange: HTTPExchange) async throws {
        let status = exchange.head.status
        guard !(200...299).contains(status.code) else { return }
        var message = ""
        if (300...399).contains(status.code) {
            message = "redirects are not followed"
            if let target = exchange.head.headers.first(name: "location") { message += " (to \(target))" }
            exchange.close()
        } else {
            let bytes = try await exchange.body(byteCountMax: 1 << 20)
            message = ServerMessage.text(of: bytes) ?? ServerMessage.excerpt(bytes)
            if message.isEmpty { message = status.reasonPhrase }
        }
        throw OpenAIError(.status(Int(status.code)), url: exchange.url, message: message)
    }
}
