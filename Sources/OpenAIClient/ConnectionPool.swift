import NIOCore
import NIOPosix
import Synchronization

/// The connections to one server that nobody uses just now, the last used on top.
final class ConnectionPool: Sendable {
    private static let idleCountMax = 1024

    private let server: ServerURL
    private let connectTimeout: TimeAmount
    private let idle = Mutex<[HTTPConnection]>([])

    init(server: ServerURL, connectTimeout: TimeAmount) {
        self.server = server
        self.connectTimeout = connectTimeout
    }

    deinit { closeIdle() }

    func take(freshOnly: Bool) async throws -> (connection: HTTPConnection, isReused: Bool) {
        while !freshOnly, let connection = idle.withLock({ $0.popLast() }) {
            if await connection.isReady() { return (connection, true) }
            connection.close()
        }
        try Task.checkCancellation()
        do {
            let connection = try await HTTPConnection.open(to: server, timeout: connectTimeout)
            return (connection, false)
        } catch {
            try Task.checkCancellation()
            throw explain(error)
        }
    }

    func giveBack(_ connection: HTTPConnection) {
        let isKept = idle.withLock { idle in
            guard idle.count < Self.idleCountMax, connection.isActive else { return false }
            idle.append(connection)
            return true
        }
        if !isKept { connection.close() }
    }

    func closeIdle() {
        let connections = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        for connection in connections { connection.close() }
    }

    private func explain(_ error: any Error) -> OpenAIError {
        func failure(_ message: String) -> OpenAIError {
            OpenAIError(.unreachable, url: server.description, message: message)
        }
        let place = "\(server.host):\(server.port)"
        var causes: [any Error] = [error]
        if let error = error as? NIOConnectionError {
            causes = error.connectionErrors.map(\.error)
            if causes.isEmpty, error.dnsAError != nil || error.dnsAAAAError != nil {
                return failure("the host '\(server.host)' cannot be found")
            }
        }
        for cause in causes {
            switch cause {
            case let error as IOError where error.errnoCode == ECONNREFUSED:
                return failure("nothing listens at \(place) (connection refused); is the server running?")
            case let error as IOError:
                return failure("cannot connect to \(place): \(error.localizedReason)")
            case ChannelError.connectTimeout:
                return OpenAIError(
                    .timeout, url: server.description, message: "\(place) did not accept a connection in time")
            default: continue
            }
        }
        return failure("cannot connect to \(place): \(causes.first.map { "\($0)" } ?? "unknown cause")")
    }
}

extension IOError {
    /// The system's words for the error number.
    fileprivate var localizedReason: String { String(cString: strerror(errnoCode)) }
}
