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
                for _ in 0..<1000 where gateway.service.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
                try await connection.close()
            }
            #expect(await gateway.service.waitForCancelled(1))
        }
    }

    @Test func ofAWholeAnswer() async throws {
        try await RunningGateway.with(FakeService(script: Self.slow)) { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("POST", "/v1/completions", #"{"prompt":"x"}"#)
                try await Task.sleep(for: .milliseconds(200))
                try await connection.close()
            }
            #expect(await gateway.service.waitForCancelled(1))
        }
    }

    @Test func finishedGenerationsAreNotCancelled() async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                for _ in 0..<20 {
                    let answer = try await connection.post("/v1/completions", #"{"prompt":"x"}"#)
                    #expect(answer.status == 200)
                }
            }
            #expect(gateway.service.cancelledCount == 0)
        }
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
