import Synchronization
import Vocabulary

/// A cluster that answers by a script, and remembers what it was asked and which generations were cancelled.
final class FakeService: GenerationService {
    typealias Script = @Sendable (GenerationRequest, AsyncStream<GenerationEvent>.Continuation) async -> Void

    private struct State {
        var requests: [GenerationRequest] = []
        var cancelledCount = 0
        var unreadyReason: String?
        var script: Script
    }
    private let state: Mutex<State>
    let models: [ModelProfile]

    init(models: [ModelProfile] = [FakeService.profile("tiny")], script: @escaping Script = FakeService.alphabet) {
        self.models = models
        state = Mutex(State(script: script))
    }

    var requests: [GenerationRequest] { state.withLock { $0.requests } }
    var cancelledCount: Int { state.withLock { $0.cancelledCount } }

    func setUnreadyReason(_ reason: String?) { state.withLock { $0.unreadyReason = reason } }
    func setScript(_ script: @escaping Script) { state.withLock { $0.script = script } }

    func unreadyReason() async -> String? { state.withLock { $0.unreadyReason } }

    func generate(_ request: GenerationRequest) async -> AsyncStream<GenerationEvent> {
        let script = state.withLock { state in
            state.requests.append(request)
            return state.script
        }
        let (events, continuation) = AsyncStream<GenerationEvent>.makeStream()
        let (starts, start) = AsyncStream<Void>.makeStream()
        let task = Task {
            for await _ in starts { break }
            await script(request, continuation)
            continuation.finish()
        }
        // Set before anything can end the stream: set later, it is told of a cancellation that never was.
        continuation.onTermination = { reason in
            guard case .cancelled = reason else { return }
            task.cancel()
            self.state.withLock { $0.cancelledCount += 1 }
        }
        start.finish()
        return events
    }

    /// Waits until `count` generations were cancelled; false when that takes too long.
    func waitForCancelled(_ count: Int) async -> Bool {
        for _ in 0..<3000 where cancelledCount < count { try? await Task.sleep(for: .milliseconds(10)) }
        return cancelledCount == count
    }

    /// Waits until `count` generations were asked for; false when that takes too long.
    func waitForRequests(_ count: Int) async -> Bool {
        for _ in 0..<3000 where requests.count < count { try? await Task.sleep(for: .milliseconds(10)) }
        return requests.count == count
    }

    static func profile(_ name: String, contextLength: Int = 64) -> ModelProfile {
        ModelProfile(
            name: name, fingerprint: "0123456789abcdef", layerCount: 2, hiddenSize: 8,
            vocabularySize: FakeCodec.vocabularySize, contextLength: contextLength, embeddingBytes: 1,
            layerBytes: [1, 1], headBytes: 1, kvBytesPerPositionPerLayer: 4, endTokens: [FakeCodec.endToken])
    }

    /// Scores the prompt when asked, then says a, b, c... from the letter that is the choice's number on.
    static let alphabet: Script = { request, events in
        events.yield(.accepted(RequestID(1)))
        if request.scoresPrompt { events.yield(.promptScored(scores(ofPrompt: request))) }
        let count = request.outputTokenCountMax ?? 3
        for index in 0..<count {
            let token = TokenID(97 + (Int(request.sampling.choice) + index) % 26)
            events.yield(
                .output(
                    text: String(decoding: [UInt8(token)], as: UTF8.self),
                    tokens: [score(token, request.prompt.count + index, request)]))
        }
        events.yield(.finished(.length, usage(request, outputTokenCount: count)))
    }

    static func scores(ofPrompt request: GenerationRequest) -> [TokenScore] {
        request.prompt.enumerated().dropFirst().map { score($1, $0, request) }
    }

    static func usage(_ request: GenerationRequest, outputTokenCount: Int) -> GenerationUsage {
        GenerationUsage(
            promptTokenCount: request.prompt.count, outputTokenCount: outputTokenCount, cachedTokenCount: 1,
            promptSeconds: 0.5, outputSeconds: 0.25)
    }

    /// The `topLogprobCount` likeliest are the token and those after it.
    static func score(_ token: TokenID, _ position: Int, _ request: GenerationRequest) -> TokenScore {
        guard let count = request.sampling.topLogprobCount else { return TokenScore(token: token, position: position) }
        return TokenScore(
            token: token, position: position, logprob: -0.25,
            top: (0..<count).map { RankedToken(token: token + TokenID($0), logprob: -0.25 * Float($0 + 1)) })
    }
}
