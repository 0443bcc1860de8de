/// What a load test does. The same plan is the same test: all chance in it comes from the seed.
public struct LoadPlan: Hashable, Sendable {
    public enum Endpoint: String, CaseIterable, Hashable, Sendable {
        case completions
        case chat
    }

    public enum Prompt: Hashable, Sendable {
        /// Random token ids below `vocabularySize`; the chat endpoint takes as many random words instead.
        case random(tokenCount: Int, vocabularySize: Int)
        /// Random words that most tokenizers take for one token each.
        case words(tokenCount: Int)
        /// The same text for all requests.
        case text(String)
    }

    /// When requests are sent.
    public enum Arrivals: Hashable, Sendable {
        /// Each as soon as a stream is free: slow answers slow the test down, too.
        case closed
        /// At the moments of a Poisson process, whatever the server does.
        case poisson(perSecond: Double)
        /// At the moments of the trace.
        case trace
    }

    /// A part of the requests begin with one of a few common prefixes.
    public struct SharedPrefix: Hashable, Sendable {
        /// Of the requests, from 0 to 1.
        public var share: Double
        /// The prefix takes the place of as much of the prompt, whose length stays; the last token is its own.
        public var tokenCount: Int
        /// How many different prefixes there are.
        public var prefixCount: Int

        public init(share: Double, tokenCount: Int, prefixCount: Int = 1) {
            self.share = share
            self.tokenCount = tokenCount
            self.prefixCount = prefixCount
        }
    }

    /// Each request is the first turn of a chat.
    public struct Conversation: Hashable, Sendable {
        public var turnCount: Int
        /// Between an answer and the next turn: the mean of an exponential distribution.
        public var thinkSeconds: Double
        /// What each turn after the first says.
        public var turnTokenCount: Int

        public init(turnCount: Int, thinkSeconds: Double = 0, turnTokenCount: Int) {
            self.turnCount = turnCount
            self.thinkSeconds = thinkSeconds
            self.turnTokenCount = turnTokenCount
        }
    }

    public var model: String
    public var endpoint: Endpoint
    public var prompt: Prompt
    /// Requests, or with `conversation` conversations; nil: until `durationNanoseconds`, or the trace's end.
    public var requestCount: Int?
    /// Nothing is sent after this; what runs is waited for.
    public var durationNanoseconds: UInt64?
    /// Requests that run at once; nil: no limit. Requests that are due while so many run wait, and count so.
    public var concurrencyMax: Int?
    public var arrivals: Arrivals
    /// Send this many (or those that are due, if fewer), wait for all of them, send the next: a server without
    /// continuous batching.
    public var staticBatchSize: Int?
    /// Lengths, and with `Arrivals.trace` the moments. Its prompt lengths replace that of `prompt`.
    public var trace: [TraceRow]
    /// Moments of the trace are multiplied by this: 0.5 is twice as fast.
    public var timeScale: Double
    /// Lengths of the trace are multiplied by this.
    public var lengthScale: Double
    /// Longer prompts of the trace are cut to this.
    public var promptTokenCountMax: Int
    /// Longer answers of the trace are cut to this.
    public var traceOutputTokenCountMax: Int
    public var outputTokenCount: Int
    /// Ask the server to go on after an end-of-generation token, so that all outputs have their full length.
    public var ignoresEnd: Bool
    public var temperature: Double
    public var sharedPrefix: SharedPrefix?
    public var conversation: Conversation?
    /// The part of the requests whose client goes away after a random number of tokens.
    public var disconnectShare: Double
    public var injections: [PromptInjection]
    /// The phase "warm-up" lasts so long; nil: until all of the first `concurrencyMax` requests have a token.
    public var warmUpNanoseconds: UInt64?
    /// How a server's tokenizer counts words.
    public var calibration: PromptCalibration
    public var seed: UInt64

    public init(
        model: String, endpoint: Endpoint = .completions,
        prompt: Prompt = .random(tokenCount: 128, vocabularySize: 30_000), requestCount: Int? = 100,
        concurrencyMax: Int? = nil, arrivals: Arrivals = .closed, outputTokenCount: Int = 128,
        ignoresEnd: Bool = false, temperature: Double = 0, seed: UInt64 = 0
    ) {
        self.model = model
        self.endpoint = endpoint
        self.prompt = prompt
        self.requestCount = requestCount
        self.concurrencyMax = concurrencyMax
        self.arrivals = arrivals
        self.outputTokenCount = outputTokenCount
        self.ignoresEnd = ignoresEnd
        self.temperature = temperature
        self.seed = seed
        durationNanoseconds = nil
        staticBatchSize = nil
        trace = []
        timeScale = 1
        lengthScale = 1
        promptTokenCountMax = .max
        traceOutputTokenCountMax = .max
        sharedPrefix = nil
        conversation = nil
        disconnectShare = 0
        injections = []
        warmUpNanoseconds = nil
        calibration = .oneTokenPerWord
    }

    /// Whether requests come at moments of their own: their latencies count from these.
    public var isOpenLoop: Bool { arrivals != .closed }

    /// How many requests (or conversations) there are at most; nil: as many as the duration allows.
    public var requestCountMax: Int? {
        guard !trace.isEmpty, arrivals == .trace || durationNanoseconds == nil else { return requestCount }
        return min(requestCount ?? .max, trace.count)
    }
}

extension LoadPlan {
    /// The same requests one after the other, without anything that disturbs them: what a server answers then is
    /// what it should answer always.
    public func oneAtATime() -> LoadPlan {
        var plan = self
        plan.arrivals = .closed
        plan.concurrencyMax = 1
        plan.staticBatchSize = nil
        plan.durationNanoseconds = nil
        plan.disconnectShare = 0
        plan.injections = []
        plan.warmUpNanoseconds = 0
        plan.conversation?.thinkSeconds = 0
        return plan
    }

    /// Whether prompts are made of words, which each server's tokenizer counts its own way.
    public var hasWordPrompts: Bool {
        switch prompt {
        case .text: false
        case .words: true
        case .random: endpoint == .chat
        }
    }

    /// How many requests of the first `count` (all, if fewer) do not fit into a context of `contextLength` tokens.
    public func oversizedCount(contextLength: Int, among count: Int = 100_000) -> Int {
        if case .text = prompt { return 0 }
        let plain = (0..<min(requestCountMax ?? count, trace.isEmpty ? 1 : trace.count, count)).count { index in
            let shape = shape(ofRequest: index)
            return shape.promptTokenCount + shape.outputTokenCount > contextLength
        }
        return plain + injections.count { $0.promptTokenCount + outputTokenCount > contextLength }
    }
}
