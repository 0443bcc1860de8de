import LoadTest
import OpenAIClient
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct LoadRunnerTests {
    private struct Trouble: Error, CustomStringConvertible { var description: String { "trouble" } }

    @Test func keepsToTheConcurrency() async {
        let running = Mutex((now: 0, peak: 0))
        let plan = LoadPlan(model: "m", requestCount: 40, concurrencyMax: 3)
        let runner = LoadRunner(plan: plan) { _, tell in
            running.withLock { running in
                running.now += 1
                running.peak = max(running.peak, running.now)
            }
            tell(.output)
            try await Task.sleep(for: .milliseconds(2))
            tell(.output)
            tell(.usage(promptTokenCount: 7, outputTokenCount: 2))
            running.withLock { $0.now -= 1 }
        }
        var finished: [Int] = []
        let report = await runner.run(onProgress: { finished.append($0.finishedCount) })
        #expect(report.succeededCount == 40)
        #expect(report.promptTokenCount == 280)
        #expect(report.outputTokenCount == 80)
        #expect(report.concurrencyPeak == 3)
        #expect(running.withLock { $0.peak } <= 3)
        #expect(finished == Array(1...40))
        #expect(report.timeToFirstToken.median ?? -1 >= 0)
        #expect(report.interTokenLatency.median ?? 0 >= 2)
    }

    @Test func withoutALimitAllRunAtOnce() async {
        let arrived = Mutex(0)
        let plan = LoadPlan(model: "m", requestCount: 30)
        let runner = LoadRunner(plan: plan) { _, tell in
            arrived.withLock { $0 += 1 }
            while arrived.withLock({ $0 }) < 30 { try await Task.sleep(for: .milliseconds(1)) }
            tell(.output)
        }
        let report = await runner.run()
        #expect(report.succeededCount == 30)
        #expect(report.concurrencyPeak == 30)
        // A server that counts nothing: its chunks are counted.
        #expect(report.outputTokenCount == 30)
    }

    @Test func failuresKeepTheirReason() async {
        let plan = LoadPlan(model: "m", requestCount: 9, concurrencyMax: 2)
        let runner = LoadRunner(plan: plan) { request, tell in
            if request.index % 3 == 0 { throw Trouble() }
            if request.index % 3 == 1 { tell(.output) }
        }
        let report = await runner.run()
        #expect(report.succeededCount == 3)
        #expect(report.failures == ["trouble": 3, "the answer has no output": 3])
    }

    @Test func stopsWhenAskedAndWaitsForWhatRuns() async {
        let isStopped = Atomic<Bool>(false)
        let begun = Atomic<Int>(0)
        let plan = LoadPlan(model: "m", requestCount: 1000, concurrencyMax: 2, requestRate: 500)
        let runner = LoadRunner(plan: plan) { _, tell in
            begun.add(1, ordering: .relaxed)
            try await Task.sleep(for: .milliseconds(5))
            tell(.output)
        }
        let report = await runner.run(
            shouldStop: { isStopped.load(ordering: .relaxed) },
            onProgress: { if $0.finishedCount == 10 { isStopped.store(true, ordering: .relaxed) } })
        #expect(report.succeededCount == begun.load(ordering: .relaxed))
        #expect((10...13).contains(report.succeededCount))
    }

    // MARK: - Against a server

    @Test(arguments: LoadPlan.Endpoint.allCases)
    func measuresAServer(endpoint: LoadPlan.Endpoint) async throws {
        let server = try ScriptedServer.answering { connection, request in
            let isChat = request.line.hasPrefix("POST /v1/chat/completions")
            #expect(isChat == (endpoint == .chat))
            #expect(request.json?["max_tokens"] as? Int == 4)
            connection.beginEvents()
            func chunk(_ choice: String) { connection.sendChunk("data: {\"choices\":[{\"index\":0,\(choice)}]}\n\n") }
            if isChat { chunk(#""delta":{"role":"assistant","content":""}"#) }
            for text in ["a", "", "b", "c"] {
                chunk(isChat ? #""delta":{"content":"\#(text)"}"# : #""text":"\#(text)","finish_reason":null"#)
            }
            chunk(isChat ? #""delta":{},"finish_reason":"length""# : #""text":"","finish_reason":"length""#)
            connection.sendChunk(
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n")
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let plan = LoadPlan(
            model: "m", endpoint: endpoint, prompt: .random(tokenCount: 11, vocabularySize: 100), requestCount: 20,
            concurrencyMax: 4, outputTokenCount: 4)
        let report = await LoadRunner(plan: plan, target: LoadEvent.target(client)).run()
        #expect(report.succeededCount == 20)
        #expect(report.failures.isEmpty)
        #expect(report.promptTokenCount == 220)
        #expect(report.outputTokenCount == 80)
        #expect(server.connectionCount <= 4)
    }

    @Test func aServersErrorsAreReasons() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.sendJSON(#"{"error":{"message":"the queue is full"}}"#, status: "503 Service Unavailable")
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let plan = LoadPlan(model: "m", requestCount: 5)
        let report = await LoadRunner(plan: plan, target: LoadEvent.target(client)).run()
        #expect(report.failures == ["\(server.url)/v1/completions answered 503: the queue is full": 5])
    }
}
