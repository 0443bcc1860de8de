import Vocabulary

/// The tokens that begin and end texts, as a file names them. Works on files without a tokenizer, too: they have none.
struct SpecialTokens: Sendable {
    private(set) var begin: TokenID?
    private(set) var end: TokenID?
    /// Ascending: where generation stops.
    private(set) var endTokens: [TokenID] = []
    let addsBeginning: Bool
    let addsEnd: Bool

    /// Control tokens of these texts end a turn or a document in the model families that use them.
    private static let endTexts: Set<String> = [
        "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>",
        "<|end_of_turn|>", "<EOT>", "</s>",
    ]

    init(_ metadata: [String: MetadataValue]) throws(ModelError) {
        let keys = MetadataReader(metadata)
        let tokens = try keys.stringsIfPresent("tokenizer.ggml.tokens") ?? StringTable()
        // Files of the Llama 3 family leave the flag out, and their models expect the beginning.
        let beginsByDefault = metadata["tokenizer.ggml.pre"]?.string == PreTokenizer.llamaBPE.rawValue
        let addsBeginning = try keys.booleanIfPresent("tokenizer.ggml.add_bos_token")
        addsEnd = try keys.booleanIfPresent("tokenizer.ggml.add_eos_token") ?? false
        guard tokens.count > 0 else {
            self.addsBeginning = addsBeginning ?? false
            return
        }
        func token(_ key: String) throws(ModelError) -> TokenID? {
            try keys.integerIfPresent(key, in: 0...(tokens.count - 1)).map { TokenID($0) }
        }
        begin = try token("tokenizer.ggml.bos_token_id")
        end = try token("tokenizer.ggml.eos_token_id")
        self.addsBeginning = addsBeginning ?? (beginsByDefault && begin != nil)
        var ends = Set([end].compactMap { $0 })
        for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
            if let token = try token(key) { ends.insert(token) }
        }
        let kinds = try TokenKind.read(metadata, count: tokens.count)
        for (index, kind) in kinds.enumerated() where kind == .control && Self.endTexts.contains(tokens[index]) {
            ends.insert(TokenID(index))
        }
        endTokens = ends.sorted()
        if self.addsBeginning, begin == nil { throw Self.absent("add_bos_token", "bos_token_id") }
        if addsEnd, end == nil { throw Self.absent("add_eos_token", "eos_token_id") }
    }

    private static func absent(_ flag: String, _ key: String) -> ModelError {
        ModelError(.missing, "tokenizer.ggml.\(flag) is set, but there is no tokenizer.ggml.\(key)")
    }
}
