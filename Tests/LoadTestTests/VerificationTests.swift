import LoadTest
import Testing

@Suite(.timeLimit(.minutes(1))) struct VerificationTests {
    private func record(_ texts: [String], finish: String? = "length", tokens: Int? = nil) -> RequestRecord {
        var record = RequestRecord(startNanoseconds: 0)
        record.name = "7"
        record.serverID = "cmpl-1"
        for text in texts {
            record.text += text
            record.outputEnds.append(record.text.utf8.count)
            record.outputNanoseconds.append(1)
        }
        record.finishReason = finish
        record.usageOutputTokenCount = tokens ?? texts.count
        return record
    }

    private let reference = ReferenceAnswer(
        request: "7", fingerprint: "f", text: "aé b c", finishReason: "length", outputTokenCount: 3)

    @Test func equalAnswersAreEqual() {
        #expect(AnswerMismatch.between(record(["aé", " b", " c"]), reference) == nil)
    }

    @Test func theFirstOtherByteAndItsChunkAreNamed() throws {
        let other = try #require(AnswerMismatch.between(record(["aé", " x", " c"]), reference))
        #expect(other.byteOffset == 4)
        #expect(other.outputIndex == 1)
        #expect(other.description.hasPrefix("request 7 (cmpl-1), byte 4, output 1: "))
        let short = try #require(AnswerMismatch.between(record(["aé", " b"]), reference))
        #expect(short.byteOffset == 5)
        #expect(short.outputIndex == 2)
        let long = try #require(AnswerMismatch.between(record(["aé", " b", " c", "d"]), reference))
        #expect(long.byteOffset == 7)
        #expect(long.outputIndex == 3)
        // Inside of a character: the excerpt does not split it.
        let accent = try #require(AnswerMismatch.between(record(["aè"]), reference))
        #expect(accent.byteOffset == 2)
        #expect(accent.message.contains("'aé b c' was expected, 'aè' came"))
    }

    @Test func reasonsAndCountsAreComparedToo() throws {
        let reason = try #require(
            AnswerMismatch.between(record(["aé", " b", " c"], finish: "stop"), reference))
        #expect(reason.byteOffset == nil)
        #expect(reason.message.contains("'stop' and not 'length'"))
        let count = try #require(AnswerMismatch.between(record(["aé", " b", " c"], tokens: 4), reference))
        #expect(count.message.contains("4 tokens and not 3"))
    }

    @Test func aClientThatLeftHasTheBeginning() {
        var left = record(["aé", " b"], finish: nil)
        left.isDisconnected = true
        #expect(AnswerMismatch.between(left, reference) == nil)
        left = record(["aé", " x"], finish: nil)
        left.isDisconnected = true
        #expect(AnswerMismatch.between(left, reference)?.byteOffset == 4)
    }

    @Test func filesAreReadAsWritten() throws {
        let answers = [
            reference,
            ReferenceAnswer(request: "8.1", fingerprint: "0", text: "line\nfeed \"quoted\" \u{1F600}\u{2028}"),
        ]
        let set = try ReferenceSet(jsonLines: ReferenceSet.jsonLines(answers))
        #expect(set == ReferenceSet(answers))
    }

    @Test(arguments: [
        ("", 1), ("{}", 1), ("{\"shardline_load_reference\":2}\n{}", 1), ("{\"shardline_load_reference\":1}\n", 2),
        ("{\"shardline_load_reference\":1}\n{\"request\":\"1\"}\n", 2),
        (
            "{\"shardline_load_reference\":1}\n"
                + String(repeating: "{\"request\":\"1\",\"fingerprint\":\"\",\"text\":\"\"}\n", count: 2), 3
        ),
    ])
    func otherFilesAreRefused(text: String, line: Int) {
        do {
            _ = try ReferenceSet(jsonLines: Array(text.utf8))
            Issue.record("read")
        } catch {
            #expect(error.line == line, "\(error)")
        }
    }

    // MARK: - Runs

    /// Answers that depend on the request; request `wrongIndex` gets another second token while others run.
    private func target(wrongIndex: Int?) -> LoadTarget {
        { request, tell in
            try tell(.identity("id-\(request.name)"))
            for number in 0..<request.shape.outputTokenCount {
                let isWrong = number == 1 && request.index == wrongIndex
                try tell(.output(text: isWrong ? "?" : "\(request.index * 10 + request.turn) "))
            }
            try tell(.finish(reason: "length"))
            try tell(.usage(promptTokenCount: 3, outputTokenCount: request.shape.outputTokenCount))
        }
    }

    @Test func aRunIsComparedWithAReferenceRun() async throws {
        var plan = LoadPlan(model: "m", endpoint: .chat, requestCount: 20, concurrencyMax: 4, outputTokenCount: 6)
        plan.conversation = LoadPlan.Conversation(turnCount: 2, turnTokenCount: 4)
        let alone = await LoadRunner(
            plan: plan.oneAtATime(), recordsAnswers: true, target: target(wrongIndex: nil)
        ).run()
        #expect(alone.concurrencyPeak == 1)
        #expect(alone.answers.map(\.request) == (0..<20).flatMap { ["\($0)", "\($0).1"] })
        let reference = try ReferenceSet(jsonLines: ReferenceSet.jsonLines(alone.answers))

        let good = await LoadRunner(plan: plan, reference: reference, target: target(wrongIndex: nil)).run()
        #expect(good.verification?.equalCount == 40)
        #expect(good.isSuccess)

        let bad = await LoadRunner(plan: plan, reference: reference, target: target(wrongIndex: 13)).run()
        // The turn after a wrong answer would be another question.
        #expect(bad.verification?.equalCount == 38)
        #expect(bad.verification?.mismatchCount == 1)
        let mismatch = try #require(bad.verification?.mismatches.first)
        #expect(mismatch.request == "13")
        #expect(mismatch.serverID == "id-13")
        #expect(mismatch.byteOffset == 4)
        #expect(mismatch.outputIndex == 1)
        #expect(!bad.isSuccess)
        #expect(bad.text().contains("request 13 (id-13), byte 4, output 1: "))

        plan.disconnectShare = 0.5
        plan.seed = 1
        let other = await LoadRunner(plan: plan, reference: reference, target: target(wrongIndex: nil)).run()
        #expect(other.verification?.unknownCount ?? 0 > 0)
        #expect(!other.isSuccess)
        #expect(other.text().contains("is not the one that was recorded"))

        plan.seed = 0
        let left = await LoadRunner(plan: plan, reference: reference, target: target(wrongIndex: nil)).run()
        #expect(left.verification?.isClean == true)
        #expect(left.verification?.equalPrefixCount == left.disconnectedCount)
        #expect(left.disconnectedCount > 0)

        plan.requestCount = 21
        let more = await LoadRunner(plan: plan, reference: reference, target: target(wrongIndex: nil)).run()
        #expect(more.verification?.firstUnknown?.contains("request 20 is not in the reference") == true)
    }
}
