import NIOCore
import NIOHTTP1
import Synchronization

/// One answer while its body is read. When nobody holds it any more before its end, its connection is closed,
/// which tells the server to stop.
final class HTTPExchange: Sendable {
    let head: HTTPResponseHead
    let url: String
    private let connection: HTTPConnection
    private let pool: ConnectionPool
    private let idleTimeout: TimeAmount
    private let isOver = Mutex(false)

    init(
        head: HTTPResponseHead, url: String, connection: HTTPConnection, pool: ConnectionPool,
        idleTimeout: TimeAmount
    ) {
        self.head = head
        self.url = url
        self.connection = connection
        self.pool = pool
        self.idleTimeout = idleTimeout
    }

    deinit {
        if !isOver.withLock({ $0 }) { connection.close() }
    }

    /// The next piece of the body; nil at its end, when the connection goes back to the pool.
    func next(timeout: TimeAmount? = nil) async throws -> ByteBuffer? {
        guard !isOver.withLock({ $0 }) else { return nil }
        do {
            while true {
                switch try await connection.next(timeout: timeout ?? idleTimeout) {
                case .head: continue
                case .body(let buffer): return buffer
                case .end:
                    isOver.withLock { $0 = true }
                    if head.isKeepAlive { pool.giveBack(connection) } else { connection.close() }
                    return nil
                }
            }
        } catch let end as ConnectionEnd {
            throw Self.explain(end, url: url, place: "while the answer arrived", timeout: timeout ?? idleTimeout)
        }
    }

    /// Hands each piece of the body to `receive`, on the connection's thread, until its end or until `receive` returns
    /// false: the least work for each. An error of `receive` ends the exchange and is thrown.
    func forEachPiece(_ receive: @escaping @Sendable (ByteBuffer) throws -> Bool) async throws {
        guard !isOver.withLock({ $0 }) else { return }
        do {
            guard try await connection.push(timeout: idleTimeout, to: receive) else { return }
        } catch let end as ConnectionEnd {
            throw Self.explain(end, url: url, place: "while the answer arrived", timeout: idleTimeout)
        }
        isOver.withLock { $0 = true }
        if head.isKeepAlive { pool.giveBack(connection) } else { connection.close() }
    }

    /// Reads what is left of a body whose content is known to be complete: with its end, the connection can be used
    /// again.
    func finish() async {
        do { while try await next(timeout: .seconds(1)) != nil {} } catch { close() }
    }

    /// The whole body.
    func body(byteCountMax: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try await next() {
            guard bytes.count + buffer.readableBytes <= byteCountMax else {
                throw OpenAIError(.badResponse, url: url, message: "the answer is longer than \(byteCountMax) bytes")
            }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        return bytes
    }

    func close() {
        isOver.withLock { $0 = true }
        connection.close()
    }

    static func explain(_ end: ConnectionEnd, url: String, place: String, timeout: TimeAmount) -> OpenAIError {
        switch end {
        case .closed:
            OpenAIError(.connectionLost, url: url, message: "the server closed the connection \(place)")
        case .timeout:
            OpenAIError(
                .timeout, url: url,
                message: "nothing came for \(timeout.nanoseconds / 1_000_000) ms \(place)")
        case .malformed(let cause): OpenAIError(.badResponse, url: url, message: cause)
        }
    }
}
