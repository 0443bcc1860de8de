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
            try tell(.output(text: "x"))
            try await Task.sleep(for: .milliseconds(2))
            try tell(.output(text: "x"))
            try tell(.usage(promptTokenCount: 7, outputTokenCount: 2))
            running.withLock { $0.now -= 1 }
        }
        let finished = Mutex<[Int]>([])
        let report = await runner.run(
            onProgress: { progress in finished.withLock { $0.append(progress.finishedCount) } })
        #expect(report.succeededCount == 40)
        #expect(report.promptTokenCount == 280)
        #expect(report.outputTokenCount == 80)
        #expect(report.concurrencyPeak == 3)
        #expect(running.withLock { $0.peak } <= 3)
        let counts = finished.withLock { $0 }
        #expect(counts == counts.sorted())
        #expect(counts.last == 40)
        #expect(report.timeToFirstToken.median ?? -1 >= 0)
        #expect(report.interTokenLatency.median ?? 0 >= 2)
    }

    @Test func withoutALimitAllRunAtOnce() async {
        let arrived = Mutex(0)
        let plan = LoadPlan(model: "m", requestCount: 30)
        let runner = LoadRunner(plan: plan) { _, tell in
            arrived.withLock { $0 += 1 }
            while arrived.withLock({ $0 }) < 30 { try await Task.sleep(for: .milliseconds(1)) }
            try tell(.output(text: "x"))
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
            if request.index % 3 == 1 { try tell(.output(text: "x")) }
        }
        let report = await runner.run()
        #expect(report.succeededCount == 3)
        #expect(report.failures == ["trouble": 3, "the answer has no output": 3])
    }

    @Test func stopsWhenAskedAndWaitsForWhatRuns() async {
        let begun = Atomic<Int>(0)
        let plan = LoadPlan(
            model: "m", requestCount: 1000, concurrencyMax: 2, arrivals: .poisson(perSecond: 500))
        let runner = LoadRunner(plan: plan) { _, tell in
            begun.add(1, ordering: .relaxed)
            try await Task.sleep(for: .milliseconds(5))
            try tell(.output(text: "x"))
        }
        let report = await runner.run(shouldStop: { begun.load(ordering: .relaxed) >= 10 })
        #expect(report.succeededCount == begun.load(ordering: .relaxed))
        #expect((10...13).contains(report.succeededCount))
    }

    /// A server that stands still once: in an open loop, all that was due meanwhile has waited.
    @Test func anOpenLoopOmitsNothing() async {
        let plan = LoadPlan(
            model: "m", requestCount: 100, concurrencyMax: 1, arrivals: .poisson(perSecond: 1000))
        let report = await LoadRunner(plan: plan) { request, tell in
            if request.index == 0 { try await Task.sleep(for: .milliseconds(300)) }
            try tell(.output(text: "x"))
        }.run()
        // About 100 ms of arrivals: each waited for at least the rest of the 300.
        #expect(report.timeToFirstToken.median ?? 0 > 150)
        #expect(report.sendDelay.median ?? 0 > 150)
        #expect(report.blockedCount >= 50)
        #expect(report.text().contains("held up by the concurrency limit"))
        var closed = plan
        closed.arrivals = .closed
        let omitting = await LoadRunner(plan: closed) { request, tell in
            if request.index == 0 { try await Task.sleep(for: .milliseconds(300)) }
            try tell(.output(text: "x"))
        }.run()
        #expect(omitting.timeToFirstToken.median ?? .infinity < 150)
        #expect(omitting.blockedCount == 0)
    }

    @Test func sendsOfAnOpenLoopDoNotWaitForAnswers() async {
        let running = Atomic<Int>(0)
        let plan = LoadPlan(model: "m", requestCount: 50, arrivals: .poisson(perSecond: 1000))
        let report = await LoadRunner(plan: plan) { _, tell in
            running.add(1, ordering: .relaxed)
            while running.load(ordering: .relaxed) < 50 { try await Task.sleep(for: .milliseconds(1)) }
            try tell(.output(text: "x"))
        }.run()
        #expect(report.concurrencyPeak == 50)
        #expect(report.blockedCount == 0)
    }

    @Test func aStaticBatchWaitsForItsLast() async {
        let events = Mutex<[String]>([])
        var plan = LoadPlan(model: "m", requestCount: 10)
        plan.staticBatchSize = 4
        let report = await LoadRunner(plan: plan) { request, tell in
            events.withLock { $0.append("begin \(request.index)") }
            try await Task.sleep(for: .milliseconds(request.index % 4 == 0 ? 60 : 5))
            events.withLock { $0.append("end \(request.index)") }
            try tell(.output(text: "x"))
        }.run()
        #expect(report.succeededCount == 10)
        #expect(report.concurrencyPeak == 4)
        let all = events.withLock { $0 }
        for batch in 1...2 {
            let begin = all.firstIndex { event in (0..<4).contains { event == "begin \(batch * 4 + $0)" } }
            let end = all.firstIndex(of: "end \(batch * 4 - 4)")
            #expect(begin ?? 0 > end ?? .max, "\(all)")
        }
    }

    @Test func aStaticBatchTakesWhatIsDue() async {
        var plan = LoadPlan(model: "m", requestCount: nil, arrivals: .trace)
        plan.trace = [0, 0, 0, 15_000_000_000].map {
            TraceRow(arrivalNanoseconds: $0, promptTokenCount: 1, outputTokenCount: 1)
        }
        plan.timeScale = 0.1
        plan.staticBatchSize = 8
        let report = await LoadRunner(plan: plan) { _, tell in
            try await Task.sleep(for: .milliseconds(10))
            try tell(.output(text: "x"))
        }.run()
        #expect(report.succeededCount == 4)
        // The three that are due do not wait until they are eight.
        #expect(report.concurrencyPeak == 3)
        #expect(report.seconds >= 1.5)
    }

    @Test func theTimeEndsAClosedLoop() async {
        var plan = LoadPlan(model: "m", requestCount: nil, concurrencyMax: 3)
        plan.durationNanoseconds = 150_000_000
        let report = await LoadRunner(plan: plan) { _, tell in
            try await Task.sleep(for: .milliseconds(10))
            try tell(.output(text: "x"))
        }.run()
        #expect((3...45).contains(report.succeededCount))
        #expect(report.seconds >= 0.15)
        #expect(report.isSuccess)
    }

    @Test func aServerThatIsGoneEndsTheRun() async {
        var plan = LoadPlan(model: "m", requestCount: nil, concurrencyMax: 4)
        plan.durationNanoseconds = 3_600_000_000_000
        let report = await LoadRunner(plan: plan) { _, _ in
            throw OpenAIError(.unreachable, url: "u", message: "nothing listens")
        }.run()
        #expect((100...104).contains(report.failedCount))
        #expect(report.wasServerGone)
        #expect(!report.isSuccess)
    }

    @Test func turnsFollowEachOther() async {
        var plan = LoadPlan(model: "m", endpoint: .chat, requestCount: 6, concurrencyMax: 2, outputTokenCount: 3)
        plan.conversation = LoadPlan.Conversation(turnCount: 3, thinkSeconds: 0.001, turnTokenCount: 7)
        let lengths = Mutex<[Int: [Int]]>([:])
        let report = await LoadRunner(plan: plan) { request, tell in
            lengths.withLock { $0[request.index, default: []].append(request.chat.messages.count) }
            if request.index == 4, request.turn == 1 { throw Trouble() }
            try tell(.output(text: "answer"))
            try tell(.usage(promptTokenCount: 10, outputTokenCount: 1, cachedTokenCount: request.turn * 2))
        }.run()
        #expect(report.succeededCount == 16)
        #expect(report.failures == ["trouble": 1])
        #expect(report.turns.count == 3)
        #expect(report.turns.allSatisfy { $0.median != nil })
        #expect(report.cachedTokenCount == 5 * 6)
        let all = lengths.withLock { $0 }
        #expect((0..<6).allSatisfy { all[$0] == ($0 == 4 ? [1, 3] : [1, 3, 5]) })
    }

    @Test func clientsThatLeaveAreCountedApart() async {
        var plan = LoadPlan(model: "m", requestCount: 200, concurrencyMax: 20, outputTokenCount: 10, seed: 3)
        plan.disconnectShare = 0.5
        let sent = Atomic<Int>(0)
        let report = await LoadRunner(plan: plan) { request, tell in
            // Those that do not wait for the first token leave before it.
            if request.shape.disconnectOutputCount == 0 { try await Task.sleep(for: .seconds(600)) }
            for _ in 0..<10 {
                sent.add(1, ordering: .relaxed)
                try tell(.output(text: "x"))
            }
        }.run()
        let expected = (0..<200).compactMap { plan.shape(ofRequest: $0).disconnectOutputCount }
        #expect(report.failures.isEmpty)
        #expect(report.disconnectedCount == expected.count)
        #expect(report.disconnectedOutputTokenCount == expected.reduce(0, +))
        #expect(report.succeededCount == 200 - expected.count)
        #expect(sent.load(ordering: .relaxed) == report.outputTokenCount + report.disconnectedOutputTokenCount)
        #expect(report.isSuccess)
        #expect(report.clientUsage?.cpuSeconds ?? 0 > 0)
        #expect(report.clientMicrosecondsPerToken != nil)
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

    /// The server sees a closed connection, also where no token had come yet.
    @Test func aServerSeesClientsLeave() async throws {
        let gone = Atomic<Int>(0)
        let server = try ScriptedServer.answering { connection, request in
            connection.beginEvents()
            if request.json?["max_tokens"] as? Int == 3 {
                for _ in 0..<2 { connection.sendChunk("data: {\"choices\":[{\"index\":0,\"text\":\"a\"}]}\n\n") }
            }
            if connection.clientCloses(within: 30) { gone.add(1, ordering: .relaxed) }
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        for outputTokenCount in [1, 3] {
            // One token at most: all leave without waiting for it. Of three: after none, one or two.
            var plan = LoadPlan(model: "m", requestCount: 12, concurrencyMax: 4, outputTokenCount: outputTokenCount)
            plan.disconnectShare = 1
            let report = await LoadRunner(plan: plan, target: LoadEvent.target(client)).run()
            #expect(report.disconnectedCount == 12, "\(report.failures)")
        }
        for _ in 0..<500 where gone.load(ordering: .relaxed) < server.connectionCount {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(gone.load(ordering: .relaxed) == server.connectionCount)
        #expect(gone.load(ordering: .relaxed) >= 16)
    }

    @Test func wordsAreCountedByTheServer() async throws {
        let server = try ScriptedServer.answering { connection, request in
            let messages = request.json?["messages"] as? [[String: Any]]
            let words = messages?.compactMap { ($0["content"] as? String)?.split(separator: " ").count } ?? []
            let tokenCount = 20 + words.reduce(0, +) * 3 / 2
            connection.sendJSON(
                #"{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}],"# + #""usage":"#
                    + #"{"prompt_tokens":\#(tokenCount),"completion_tokens":1}}"#)
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let plan = LoadPlan(model: "m", endpoint: .chat)
        let measured = try await PromptCalibration.measured(by: client, plan: plan)
        #expect(measured == PromptCalibration(overheadTokenCount: 20, tokensPerWord: 1.5))
    }
}
