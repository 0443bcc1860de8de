import Gateway
import Logging
import Vocabulary

/// A gateway on a port of the system's choice, for as long as a test runs.
struct RunningGateway: Sendable {
    let port: Int
    let service: FakeService

    static let version = "1.2.3"

    static func with<R: Sendable>(
        _ service: FakeService = FakeService(), pingInterval: Duration = .seconds(60), bodyByteCountMax: Int = 1 << 20,
        codec: FakeCodec = FakeCodec(), metricsText: (@Sendable () -> String)? = nil,
        _ body: @escaping @Sendable (RunningGateway) async throws -> R
    ) async throws -> R {
        let (ports, boundPort) = AsyncStream<Int>.makeStream()
        let gateway = Gateway(
            settings: GatewaySettings(port: 0, bodyByteCountMax: bodyByteCountMax, pingInterval: pingInterval),
            service: service, codecs: Dictionary(uniqueKeysWithValues: service.models.map { ($0.name, codec) }),
            version: version, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            metricsText: metricsText, onBound: { boundPort.yield($0) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { boundPort.finish() }
                try await gateway.run()
            }
            defer { group.cancelAll() }
            for await port in ports { return try await body(RunningGateway(port: port, service: service)) }
            try await group.waitForAll()
            throw NeverBound()
        }
    }
    struct NeverBound: Error {}

    /// One request on a connection of its own.
    func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> HTTPConnection.Answer {
        try await HTTPConnection.with(port: port) { try await $0.ask(method, path, body) }
    }

    func post(_ path: String, _ body: String) async throws -> HTTPConnection.Answer {
        try await ask("POST", path, body)
    }

    /// The data of all events of a streamed answer; the last is "[DONE]" when all went well.
    func events(_ path: String, _ body: String) async throws -> [String] {
        try await HTTPConnection.with(port: port) { connection in
            try await connection.send("POST", path, body)
            _ = try await connection.head()
            return try await connection.events()
        }
    }

    /// The chunks of a streamed answer, without "[DONE]".
    func chunks(_ path: String, _ body: String) async throws -> [JSON] {
        try await events(path, body).filter { $0 != "[DONE]" && !$0.hasPrefix(":") }.map { try JSON(parsing: $0.utf8) }
    }
}
