import Gateway
import Logging
import ServiceLifecycle
import Testing
import Vocabulary

/// Generations end when nobody is there to read them.
@Suite struct DisconnectTests {
    /// Says something every now and then, for a minute.
    private static let slow: FakeService.Script = { request, events in
        events.yield(.accepted(RequestID(1)))
        for _ in 0..<600 where !Task.isCancelled {
            events.yield(.output(text: "x", tokens: []))
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
    /// Never says anything.
    private static let silent: FakeService.Script = { _, events in
        events.yield(.accepted(RequestID(1)))
        try? await Task.sleep(for: .seconds(60))
    }

    @Test func ofAStream() async throws {
        try await RunningGateway.with(FakeService(script: Self.slow)) { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("POST", "/v1/completions", #"{"prompt":"x","n":3,"stream":true}"#)
                #expect(try await connection.head().status == 200)
                _ = try await connection.nextPiece()
                #expect(gateway.service.cancelledCount == 0)
                try await connection.close()
            }
            #expect(await gateway.service.waitForCancelled(3))
            #expect(try await gateway.ask("GET", "/health").status == 200)
        }
    }

    @Test(arguments: ["true", "false"])
    func beforeTheFirstByte(streams: String) async throws {
        try await RunningGateway.with(FakeService(script: Self.silent)) { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("POST", "/v1/completions", #"{"prompt":"x","stream":\#(streams)}"#)
                #expect(await gateway.service.waitForRequests(1))
                try await connection.close()
            }
            #expect(await gateway.service.waitForCancelled(1))
        }
    }

    @Test func ofAWholeAnswer() async throws {
        try await RunningGateway.with(FakeService(script: Self.slow)) { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("POST", "/v1/completions", #"{"prompt":"x"}"#)
                #expect(await gateway.service.waitForRequests(1))
                try await connection.close()
            }
            #expect(await gateway.service.waitForCancelled(1))
        }
    }

    @Test func finishedGenerationsAreNotCancelled() async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                for _ in 0..<200 {
                    let answer = try await connection.post("/v1/completions", #"{"prompt":"x"}"#)
                    #expect(answer.status == 200)
                }
            }
            #expect(gateway.service.cancelledCount == 0)
        }
    }

    /// The client of an answer that is under way gets all of it; the gateway ends after it.
    @Test func aGracefulShutdownLetsAnswersEnd() async throws {
        let service = FakeService { request, events in
            events.yield(.output(text: "first", tokens: []))
            try? await Task.sleep(for: .milliseconds(300))
            events.yield(.output(text: "last", tokens: []))
            events.yield(.finished(.stop, FakeService.usage(request, outputTokenCount: 2)))
        }
        let (ports, boundPort) = AsyncStream<Int>.makeStream()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let gateway = Gateway(
            settings: GatewaySettings(port: 0), service: service, codecs: ["tiny": FakeCodec()], version: "",
            logger: logger, onBound: { boundPort.yield($0) })
        let group = ServiceGroup(services: [gateway], logger: logger)
        async let ended: Void = group.run()
        for await port in ports {
            // A connection without a request does not hold the shutdown up.
            try await HTTPConnection.with(port: port) { idle in
                #expect(try await idle.ask("GET", "/health").status == 200)
                let events = try await HTTPConnection.with(port: port) { connection in
                    try await connection.send("POST", "/v1/completions", #"{"prompt":"x","stream":true}"#)
                    _ = try await connection.head()
                    await group.triggerGracefulShutdown()
                    return try await connection.events()
                }
                #expect(events.contains { $0.contains("last") })
                #expect(events.last == "[DONE]")
            }
            break
        }
        try await ended
        #expect(service.cancelledCount == 0)
    }

    @Test func stoppingTheGatewayCancelsWhatRuns() async throws {
        let service = FakeService(script: Self.slow)
        try? await RunningGateway.with(service) { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("POST", "/v1/completions", #"{"prompt":"x","stream":true}"#)
                _ = try await connection.head()
                throw CancellationError()
            }
        }
        #expect(await service.waitForCancelled(1))
    }
}
