import Foundation
import NIOCore
import NIOPosix

/// One HTTP/1.1 connection over a real socket, as little of a client as the tests need.
final class HTTPConnection {
    struct Answer {
        var status: Int
        /// Names in lower case.
        var headers: [String: String]
        var body: [UInt8]

        var json: JSON { get throws { try JSON(parsing: body) } }
        var text: String { String(decoding: body, as: UTF8.self) }
    }
    struct Closed: Error {}

    private enum Framing {
        case none
        case length(Int)
        case chunked
    }

    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let channel: any Channel
    private var received: [UInt8] = []
    private var framing = Framing.none

    private init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ channel: any Channel
    ) {
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
        self.channel = channel
    }

    static func with<R: Sendable>(
        port: Int, _ body: @escaping @Sendable (HTTPConnection) async throws -> R
    ) async throws -> R {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(inboundType: ByteBuffer.self, outboundType: ByteBuffer.self))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(HTTPConnection(inbound, outbound, channel.channel))
        }
    }

    /// Ends the connection without a word.
    func close() async throws { try await channel.close() }

    func send(_ method: String, _ path: String, _ body: String? = nil, headers: [String] = []) async throws {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: test"] + headers
        if let body { lines += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"] }
        try await outbound.write(ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")))
    }

    func sendRaw(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }

    func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> Answer {
        try await send(method, path, body)
        var answer = try await head()
        while let piece = try await nextPiece() { answer.body += piece }
        return answer
    }

    func post(_ path: String, _ body: String) async throws -> Answer { try await ask("POST", path, body) }

    /// Reads a response up to its body.
    func head() async throws -> Answer {
        let lines = try await take(through: "\r\n\r\n").split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        guard let status else { throw Closed() }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        framing =
            headers["transfer-encoding"] == "chunked" ? .chunked : .length(Int(headers["content-length"] ?? "") ?? 0)
        return Answer(status: status, headers: headers, body: [])
    }

    /// The next piece of the body; nil at its end.
    func nextPiece() async throws -> [UInt8]? {
        switch framing {
        case .none: return nil
        case .length(let count):
            framing = .none
            return count == 0 ? nil : try await take(count)
        case .chunked:
            let size = Int(try await take(through: "\r\n").prefix { $0.isHexDigit }, radix: 16) ?? 0
            let piece = try await take(size)
            _ = try await take(2)
            if size == 0 { framing = .none }
            return size == 0 ? nil : piece
        }
    }

    /// All server-sent events of a body: JSON of data lines as text, comments with their colon.
    func events() async throws -> [String] {
        var body: [UInt8] = []
        while let piece = try await nextPiece() { body += piece }
        return Self.events(in: body)
    }

    static func events(in body: [UInt8]) -> [String] {
        String(decoding: body, as: UTF8.self).components(separatedBy: "\n\n").filter { !$0.isEmpty }
            .map { $0.hasPrefix("data: ") ? String($0.dropFirst("data: ".count)) : $0 }
    }

    private func take(_ count: Int) async throws -> [UInt8] {
        while received.count < count { try await receive() }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func take(through end: String) async throws -> String {
        let end = Array(end.utf8)
        while true {
            if let range = received.firstRange(of: end) {
                return String(decoding: try await take(range.upperBound), as: UTF8.self)
            }
            try await receive()
        }
    }

    private func receive() async throws {
        guard let bytes = try await inbound.next() else { throw Closed() }
        received += Array(bytes.readableBytesView)
    }
}
