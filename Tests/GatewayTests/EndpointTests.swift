import Gateway
import Logging
import Testing

@Suite struct EndpointTests {
    @Test func tellsWhetherItIsReady() async throws {
        try await RunningGateway.with { gateway in
            let ready = try await gateway.ask("GET", "/health")
            #expect(ready.status == 200)
            #expect(ready.headers["content-type"] == "application/json")
            #expect(ready.text == #"{"status":"ok"}"#)
            gateway.service.setUnreadyReason("waiting for 2 nodes")
            let unready = try await gateway.ask("GET", "/health")
            #expect(unready.status == 503)
            #expect(unready.text == #"{"status":"loading","reason":"waiting for 2 nodes"}"#)
        }
    }

    @Test func tellsItsVersion() async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.ask("GET", "/version")
            #expect(answer.text == #"{"version":"1.2.3"}"#)
        }
    }

    @Test func listsModels() async throws {
        let service = FakeService(models: [FakeService.profile("tiny"), FakeService.profile("org/big v2")])
        try await RunningGateway.with(service) { gateway in
            let list = try await gateway.ask("GET", "/v1/models").json
            #expect(list["object"] == "list")
            #expect(list["data"].elements.map { $0["id"] } == ["tiny", "org/big v2"])
            #expect(list["data"][0]["object"] == "model")
            #expect(list["data"][0]["max_model_len"] == 64)
            #expect((list["data"][0]["created"].number ?? 0) > 1.7e9)
        }
    }

    @Test(arguments: ["/v1/models/org%2Fbig%20v2", "/v1/models/org/big%20v2"])
    func findsAModelByName(path: String) async throws {
        let service = FakeService(models: [FakeService.profile("tiny"), FakeService.profile("org/big v2")])
        try await RunningGateway.with(service) { gateway in
            let model = try await gateway.ask("GET", path)
            #expect(model.status == 200)
            #expect(try model.json["id"] == "org/big v2")
        }
    }

    @Test func showsMetricsWhenThereAreAny() async throws {
        try await RunningGateway.with(metricsText: { "shardline_num_requests_running 3\n" }) { gateway in
            let metrics = try await gateway.ask("GET", "/metrics")
            #expect(metrics.status == 200)
            #expect(metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
            #expect(metrics.text == "shardline_num_requests_running 3\n")
        }
        try await RunningGateway.with { gateway in
            let answer = try await gateway.ask("GET", "/metrics")
            #expect(answer.status == 404)
        }
    }

    @Test func namesTheAllowedMethod() async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.ask("GET", "/v1/completions")
            #expect(answer.status == 405)
            #expect(answer.headers["allow"] == "POST")
            #expect(try answer.json["error"]["code"] == "method_not_allowed")
            #expect(try await gateway.ask("DELETE", "/health").status == 405)
        }
    }

    @Test func answersHeadRequests() async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("HEAD", "/health")
                #expect(try await connection.head().status == 200)
            }
        }
    }

    @Test func namesThePortInUse() async throws {
        try await RunningGateway.with { gateway in
            let second = Gateway(
                settings: GatewaySettings(port: gateway.port), service: FakeService(), codecs: [:], version: "",
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let error = await #expect(throws: GatewayError.self) { try await second.run() }
            #expect(error?.kind == .addressInUse)
            #expect(error?.message.contains("127.0.0.1:\(gateway.port)") == true)
            #expect(error?.message.contains("--port") == true)
        }
    }

    @Test(arguments: ["no such host.invalid", "192.0.2.1"])
    func namesAnAddressThatCannotBeListenedOn(host: String) async throws {
        let gateway = Gateway(
            settings: GatewaySettings(host: host, port: 0), service: FakeService(), codecs: [:], version: "",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let error = await #expect(throws: GatewayError.self) { try await gateway.run() }
        #expect(error?.kind == .cannotBind)
        #expect(error?.message.contains(host) == true)
    }
}
