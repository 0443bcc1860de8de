import CProtocols
import Vocabulary

typealias CSequenceRows = Shardline__V1__SequenceRows
typealias CSequenceIntroduction = Shardline__V1__SequenceIntroduction

/// The rows of one sequence of a step.
enum SequenceRowsCodec {
    static func encode(
        _ rows: SequenceRows, at index: Int, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<CSequenceRows> {
        let message = try arena.make(shardline__v1__sequence_rows__init)
        message.pointee.sequence = rows.sequence.rawValue
        message.pointee.first_position = try UInt32(
            rows.firstPosition, Field("ForwardStep.sequences[].firstPosition", at: index))
        message.pointee.n_tokens = rows.tokens.count
        message.pointee.tokens = try arena.tokens(rows.tokens, Field("ForwardStep.sequences[].tokens", at: index))
        message.pointee.first_block_index = try UInt32(
            rows.firstBlockIndex, Field("ForwardStep.sequences[].firstBlockIndex", at: index))
        if !rows.blocks.isEmpty {
            let blocks = try arena.take(rows.blocks.count, of: UInt32.self)
            for (index, block) in rows.blocks.enumerated() { blocks[index] = block.rawValue }
            message.pointee.n_blocks = rows.blocks.count
            message.pointee.blocks = blocks
        }
        message.pointee.samples = rows.samples ? 1 : 0
        message.pointee.scores = rows.scores ? 1 : 0
        if let token = rows.followingToken {
            guard token >= 0 else {
                throw Field("ForwardStep.sequences[].followingToken", at: index).unencodable(
                    "token \(token) is negative")
            }
            message.pointee.following_token_plus_one = UInt32(token) + 1
        }
        message.pointee.suppresses_end = rows.suppressesEnd ? 1 : 0
        if let introduction = rows.introduction {
            message.pointee.introduction = try encode(introduction, at: index, in: arena)
        }
        return message
    }

    private static func encode(
        _ introduction: SequenceIntroduction, at index: Int, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<CSequenceIntroduction> {
        let message = try arena.make(shardline__v1__sequence_introduction__init)
        let sampling = introduction.sampling
        message.pointee.temperature = sampling.temperature
        message.pointee.top_k = try UInt32(
            sampling.topK, Field("ForwardStep.sequences[].introduction.topK", at: index))
        message.pointee.top_p = sampling.topP
        message.pointee.min_p = sampling.minP
        message.pointee.repetition_penalty = sampling.repetitionPenalty
        message.pointee.presence_penalty = sampling.presencePenalty
        message.pointee.frequency_penalty = sampling.frequencyPenalty
        message.pointee.seed = sampling.seed
        message.pointee.choice = sampling.choice
        if let count = sampling.topLogprobCount {
            guard (0...SamplingParameters.topLogprobCountMax).contains(count) else {
                throw Field("ForwardStep.sequences[].introduction.topLogprobCount", at: index).unencodable(
                    "\(count) is not in 0...\(SamplingParameters.topLogprobCountMax)")
            }
            message.pointee.top_logprob_count_plus_one = UInt32(count) + 1
        }
        message.pointee.prompt_token_count = try UInt32(
            introduction.promptTokenCount, Field("ForwardStep.sequences[].introduction.promptTokenCount", at: index))
        message.pointee.n_earlier_tokens = introduction.earlierTokens.count
        message.pointee.earlier_tokens = try arena.tokens(
            introduction.earlierTokens, Field("ForwardStep.sequences[].introduction.earlierTokens", at: index))
        return message
    }

    // MARK: - Decoding

    /// - Parameter rowCountMax: rows that the step may still have.
    static func decode(
        _ pointer: UnsafePointer<CSequenceRows>, at index: Int, rowCountMax: Int
    ) throws(WireError) -> SequenceRows {
        let tokensField = Field("ForwardStep.sequences[].tokens", at: index)
        let tokens = try FieldReader.tokens(
            pointer.pointee.tokens, pointer.pointee.n_tokens, max: rowCountMax, tokensField)
        guard !tokens.isEmpty else { throw tokensField.malformed("a sequence of a step has at least one row") }
        let firstPosition = try FieldReader.count(
            pointer.pointee.first_position, in: 0...(MessageLimits.positionMax - tokens.count),
            Field("ForwardStep.sequences[].firstPosition", at: index))
        let firstBlockIndex = try FieldReader.count(
            pointer.pointee.first_block_index, in: 0...MessageLimits.blockCountMax,
            Field("ForwardStep.sequences[].firstBlockIndex", at: index))
        var rows = SequenceRows(
            sequence: SequenceID(pointer.pointee.sequence), firstPosition: firstPosition, tokens: tokens,
            firstBlockIndex: firstBlockIndex, samples: pointer.pointee.samples != 0,
            scores: pointer.pointee.scores != 0, suppressesEnd: pointer.pointee.suppresses_end != 0)
        rows.blocks = try blocks(of: pointer, rows: rows, at: index)
        if pointer.pointee.following_token_plus_one > 0 {
            let field = Field("ForwardStep.sequences[].followingToken", at: index)
            guard rows.scores else { throw field.malformed("set on rows that do not score") }
            rows.followingToken = try FieldReader.token(pointer.pointee.following_token_plus_one - 1, field)
        }
        if let introduction = pointer.pointee.introduction {
            rows.introduction = try decode(introduction, at: index, firstPosition: firstPosition)
        }
        return rows
    }

    private static func blocks(
        of pointer: UnsafePointer<CSequenceRows>, rows: SequenceRows, at index: Int
    ) throws(WireError) -> [BlockID] {
        let field = Field("ForwardStep.sequences[].blocks", at: index)
        let count = try FieldReader.listCount(
            pointer.pointee.n_blocks, max: MessageLimits.blockCountMax - rows.firstBlockIndex, field)
        guard let numbers = pointer.pointee.blocks, count > 0 else { return [] }
        let covered = (rows.firstBlockIndex + count) * BlockID.positionCount
        let needed = rows.firstPosition + rows.tokens.count
        guard covered >= needed else {
            throw field.malformed(
                "the blocks reach to position \(covered), the rows to \(needed); they must be covered")
        }
        return [BlockID](unsafeUninitializedCapacity: count) { blocks, initializedCount in
            for index in 0..<count { blocks.initializeElement(at: index, to: BlockID(numbers[index])) }
            initializedCount = count
        }
    }

    private static func decode(
        _ pointer: UnsafePointer<CSequenceIntroduction>, at index: Int, firstPosition: Int
    ) throws(WireError) -> SequenceIntroduction {
        let message = pointer.pointee
        var sampling = SamplingParameters()
        let numbers = Field("ForwardStep.sequences[].introduction", at: index)
        sampling.temperature = try FieldReader.finite(message.temperature, numbers)
        sampling.topP = try FieldReader.finite(message.top_p, numbers)
        sampling.minP = try FieldReader.finite(message.min_p, numbers)
        sampling.repetitionPenalty = try FieldReader.finite(message.repetition_penalty, numbers)
        sampling.presencePenalty = try FieldReader.finite(message.presence_penalty, numbers)
        sampling.frequencyPenalty = try FieldReader.finite(message.frequency_penalty, numbers)
        guard sampling.temperature >= 0 else { throw numbers.malformed("temperature \(sampling.temperature)") }
        sampling.topK = try FieldReader.count(
            message.top_k, in: 0...Int(Int32.max), Field("ForwardStep.sequences[].introduction.topK", at: index))
        sampling.seed = message.seed
        sampling.choice = message.choice
        if message.top_logprob_count_plus_one > 0 {
            sampling.topLogprobCount = try FieldReader.count(
                message.top_logprob_count_plus_one - 1, in: 0...SamplingParameters.topLogprobCountMax,
                Field("ForwardStep.sequences[].introduction.topLogprobCount", at: index))
        }
        let earlierField = Field("ForwardStep.sequences[].introduction.earlierTokens", at: index)
        let earlier = try FieldReader.tokens(
            message.earlier_tokens, message.n_earlier_tokens, max: firstPosition, earlierField)
        guard earlier.isEmpty || earlier.count == firstPosition else {
            throw earlierField.malformed("\(earlier.count) tokens before position \(firstPosition); none or all may be")
        }
        return SequenceIntroduction(
            sampling: sampling,
            promptTokenCount: try FieldReader.count(
                message.prompt_token_count, in: 0...MessageLimits.positionMax,
                Field("ForwardStep.sequences[].introduction.promptTokenCount", at: index)),
            earlierTokens: earlier)
    }
}
