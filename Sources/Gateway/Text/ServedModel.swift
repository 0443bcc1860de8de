import Vocabulary

/// A model that can be asked for, with what it takes to speak text with it.
struct ServedModel: Sendable {
    let profile: ModelProfile
    let text: ServedText

    /// Names the served model's weights, so that a change of them can be told from its answers.
    var systemFingerprint: String { "fp_" + profile.fingerprint.prefix(12) }
}

/// A codec with what is measured of it once.
struct ServedText: Sendable {
    let codec: any TextCodec
    /// A text longer than this many bytes for each token of the context cannot fit into it.
    let tokenByteCountMax: Int

    init(_ codec: any TextCodec) {
        self.codec = codec
        var longest = 1
        for token in 0..<codec.vocabularySize {
            let token = TokenID(truncatingIfNeeded: token)
            longest = max(longest, codec.bytes(of: token).count, codec.display(of: token).utf8.count)
        }
        tokenByteCountMax = longest
    }

    /// The text behind `tokens`, joined before it is decoded: characters may span tokens.
    func decode(_ tokens: [TokenID]) -> String {
        String(decoding: tokens.flatMap { codec.bytes(of: $0) }, as: UTF8.self)
    }
}

/// The models that can be asked for, by the name they are served under.
struct ModelCatalog: Sendable {
    private let service: any GenerationService
    private let texts: [String: ServedText]

    init(service: any GenerationService, codecs: [String: any TextCodec]) {
        self.service = service
        texts = codecs.mapValues { ServedText($0) }
    }

    var profiles: [ModelProfile] { service.models }

    /// The model called `name`. No name is enough when only one model is served.
    func model(named name: String?) throws(APIError) -> ServedModel {
        let profiles = service.models
        guard
            let profile = name == nil && profiles.count == 1
                ? profiles.first : profiles.first(where: { $0.name == name })
        else {
            guard let name else {
                throw .invalid("'model' is missing; \(Self.list(profiles))", param: "model")
            }
            throw .unknownModel(name, served: Self.list(profiles))
        }
        guard let text = texts[profile.name] else {
            throw .internalFault("model '\(profile.name)' is served without its tokenizer")
        }
        return ServedModel(profile: profile, text: text)
    }

    static func list(_ profiles: [ModelProfile]) -> String {
        profiles.isEmpty
            ? "no model is served" : "served: " + profiles.map { "'\($0.name)'" }.joined(separator: ", ")
    }
}
