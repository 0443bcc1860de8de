import Vocabulary

/// A generation as tests ask for it.
struct TestRequest {
    var prompt: [TokenID]
    var sampling = SamplingParameters()
    var outputCount = 0
    var scores = false
    var suppressesEnd = false
}

struct TestResult: Hashable {
    var scored: [TokenScore] = []
    var sampled: [TokenScore] = []
    var isNotFinite = false
    var tokens: [TokenID] { sampled.map(\.token) }
}

/// Runs requests through a pipeline, several at once, prompts in chunks.
struct TestDriver {
    let pipeline: TestPipeline
    /// Rows of one prompt in a step.
    var chunk = 64
    /// Sequences at once.
    var concurrency = 1
    /// Blocks are given in an order of this seed.
    var blockSeed: UInt64 = 7

    private struct Running {
        let index: Int
        let request: TestRequest
        var tokens: [TokenID]
        var doneCount = 0
        var blocks: [BlockID] = []
        var result = TestResult()
        var sequence: SequenceID { SequenceID(UInt64(index) + 100) }
    }

    func run(_ requests: [TestRequest]) throws -> [TestResult] {
        var random = SeededGenerator(blockSeed)
        var free = (0..<UInt32(pipeline.blockCount)).map { BlockID($0) }.shuffled(using: &random)
        var waiting = Array(requests.enumerated().reversed())
        var running: [Running] = []
        var results = [TestResult](repeating: TestResult(), count: requests.count)
        var ended: [SequenceID] = []
        while !waiting.isEmpty || !running.isEmpty {
            while running.count < concurrency, let (index, request) = waiting.popLast() {
                running.append(Running(index: index, request: request, tokens: request.prompt))
            }
            let rows = running.indices.map { next(&running[$0], &free) }
            let outputs = try pipeline.run(rows, blocks: running.map(\.blocks), ended: ended)
            ended = []
            var places = outputs.makeIterator()
            for index in running.indices {
                running[index].doneCount += rows[index].tokens.count
                if rows[index].samples || (rows[index].scores && expectsScores(rows[index])) {
                    accept(places.next(), &running[index])
                }
            }
            running.removeAll { sequence in
                guard isOver(sequence) else { return false }
                results[sequence.index] = sequence.result
                free += sequence.blocks
                ended.append(sequence.sequence)
                return true
            }
        }
        return results
    }

    private func next(_ running: inout Running, _ free: inout [BlockID]) -> SequenceRows {
        let (first, end) = (running.doneCount, min(running.doneCount + chunk, running.tokens.count))
        while running.blocks.count * BlockID.positionCount < end { running.blocks.append(free.removeLast()) }
        let isPrompt = first < running.request.prompt.count
        return SequenceRows(
            sequence: running.sequence, firstPosition: first, tokens: Array(running.tokens[first..<end]),
            samples: end == running.tokens.count && running.request.outputCount > 0,
            scores: isPrompt && running.request.scores,
            followingToken: end < running.request.prompt.count ? running.request.prompt[end] : nil,
            suppressesEnd: running.request.suppressesEnd,
            introduction: first > 0
                ? nil
                : SequenceIntroduction(
                    sampling: running.request.sampling, promptTokenCount: running.request.prompt.count))
    }

    private func expectsScores(_ rows: SequenceRows) -> Bool { rows.tokens.count > 1 || rows.followingToken != nil }

    private func accept(_ output: SequenceOutput?, _ running: inout Running) {
        guard let output, output.sequence == running.sequence else { return }
        running.result.isNotFinite = running.result.isNotFinite || output.isNotFinite
        running.result.scored += output.scored
        if let sampled = output.sampled {
            running.result.sampled.append(sampled)
            running.tokens.append(sampled.token)
        }
    }

    private func isOver(_ running: Running) -> Bool {
        running.doneCount >= running.request.prompt.count
            && running.result.sampled.count >= running.request.outputCount || running.result.isNotFinite
    }
}
