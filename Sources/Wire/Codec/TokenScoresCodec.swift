import CProtocols
import Vocabulary

typealias CTokenScores = Shardline__V1__TokenScores

/// Scores of tokens, in columns. All floats keep their bits.
enum TokenScoresCodec {
    /// - Parameter scores: at least one.
    static func encode(
        _ scores: [TokenScore], _ field: Field, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<CTokenScores> {
        let message = try arena.make(shardline__v1__token_scores__init)
        let tokens = try arena.take(scores.count, of: UInt32.self)
        let positions = try arena.take(scores.count, of: UInt32.self)
        var topCount = 0
        var logprobBits: UInt32 = 0
        for (index, score) in scores.enumerated() {
            guard score.token >= 0 else { throw field.unencodable("token \(score.token) is negative") }
            tokens[index] = UInt32(score.token)
            positions[index] = try UInt32(score.position, field)
            logprobBits |= score.logprob.bitPattern
            topCount += score.top.count
        }
        message.pointee.n_tokens = scores.count
        message.pointee.tokens = tokens
        message.pointee.n_positions = scores.count
        message.pointee.positions = positions
        if logprobBits != 0 {
            let logprobs = try arena.take(scores.count, of: Float.self)
            for (index, score) in scores.enumerated() { logprobs[index] = score.logprob }
            message.pointee.n_logprobs = scores.count
            message.pointee.logprobs = logprobs
        }
        if topCount > 0 { try encodeTop(scores, topCount: topCount, field, into: message, in: arena) }
        return message
    }

    private static func encodeTop(
        _ scores: [TokenScore], topCount: Int, _ field: Field, into message: UnsafeMutablePointer<CTokenScores>,
        in arena: borrowing MessageArena
    ) throws(WireError) {
        let counts = try arena.take(scores.count, of: UInt32.self)
        let tokens = try arena.take(topCount, of: UInt32.self)
        let logprobs = try arena.take(topCount, of: Float.self)
        var filled = 0
        for (index, score) in scores.enumerated() {
            guard score.top.count <= SamplingParameters.topLogprobCountMax else {
                throw field.unencodable(
                    "\(score.top.count) ranked tokens; at most \(SamplingParameters.topLogprobCountMax)")
            }
            counts[index] = UInt32(score.top.count)
            for ranked in score.top {
                guard ranked.token >= 0 else { throw field.unencodable("token \(ranked.token) is negative") }
                tokens[filled] = UInt32(ranked.token)
                logprobs[filled] = ranked.logprob
                filled += 1
            }
        }
        message.pointee.n_top_counts = scores.count
        message.pointee.top_counts = counts
        message.pointee.n_top_tokens = topCount
        message.pointee.top_tokens = tokens
        message.pointee.n_top_logprobs = topCount
        message.pointee.top_logprobs = logprobs
    }

    /// Checks that the columns fit each other.
    static func decode(
        _ pointer: UnsafePointer<CTokenScores>, max: Int, _ field: Field
    ) throws(WireError) -> [TokenScore] {
        let count = try FieldReader.listCount(pointer.pointee.n_tokens, max: max, field)
        guard pointer.pointee.n_positions == count,
            pointer.pointee.n_logprobs == 0 || pointer.pointee.n_logprobs == count,
            pointer.pointee.n_top_counts == 0 || pointer.pointee.n_top_counts == count,
            pointer.pointee.n_top_tokens == pointer.pointee.n_top_logprobs
        else {
            throw field.malformed(
                "\(count) tokens, \(pointer.pointee.n_positions) positions, \(pointer.pointee.n_logprobs) "
                    + "log-probabilities, \(pointer.pointee.n_top_counts) counts, \(pointer.pointee.n_top_tokens) "
                    + "ranked tokens, \(pointer.pointee.n_top_logprobs) of their log-probabilities; the columns "
                    + "must have one length")
        }
        guard let tokens = pointer.pointee.tokens, let positions = pointer.pointee.positions, count > 0 else {
            guard pointer.pointee.n_top_tokens == 0 else { throw field.malformed("ranked tokens of no score") }
            return []
        }
        var scores: [TokenScore] = []
        scores.reserveCapacity(count)
        var used = 0
        for index in 0..<count {
            var score = TokenScore(
                token: try FieldReader.token(tokens[index], field),
                position: try FieldReader.count(positions[index], in: 0...MessageLimits.positionMax, field))
            if let logprobs = pointer.pointee.logprobs { score.logprob = logprobs[index] }
            if let counts = pointer.pointee.top_counts, counts[index] > 0 {
                score.top = try ranked(pointer, from: used, count: counts[index], field)
                used += score.top.count
            }
            scores.append(score)
        }
        guard used == pointer.pointee.n_top_tokens else {
            throw field.malformed("\(pointer.pointee.n_top_tokens) ranked tokens; the counts add up to \(used)")
        }
        return scores
    }

    private static func ranked(
        _ pointer: UnsafePointer<CTokenScores>, from start: Int, count: UInt32, _ field: Field
    ) throws(WireError) -> [RankedToken] {
        let count = try FieldReader.count(count, in: 0...SamplingParameters.topLogprobCountMax, field)
        guard let tokens = pointer.pointee.top_tokens, let logprobs = pointer.pointee.top_logprobs,
            count <= pointer.pointee.n_top_tokens - start
        else { throw field.malformed("fewer ranked tokens than the counts add up to") }
        var ranked: [RankedToken] = []
        ranked.reserveCapacity(count)
        for index in start..<(start + count) {
            ranked.append(RankedToken(token: try FieldReader.token(tokens[index], field), logprob: logprobs[index]))
        }
        return ranked
    }
}
