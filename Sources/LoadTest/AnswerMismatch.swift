/// Where an answer is not the one of the reference run.
public struct AnswerMismatch: Hashable, Sendable, Codable, CustomStringConvertible {
    /// `LoadRequest.name`.
    public var request: String
    /// What the server called the answer.
    public var serverID: String?
    /// The first byte of the text (UTF-8) that is another; nil when the texts are equal.
    public var byteOffset: Int?
    /// The chunk of output that it came in, from 0.
    public var outputIndex: Int?
    public var message: String

    private enum CodingKeys: String, CodingKey {
        case request, message
        case serverID = "server_id"
        case byteOffset = "byte_offset"
        case outputIndex = "output_index"
    }

    public var description: String {
        var text = "request \(request)"
        if let serverID { text += " (\(serverID))" }
        if let byteOffset { text += ", byte \(byteOffset)" }
        if let outputIndex { text += ", output \(outputIndex)" }
        return text + ": " + message
    }

    /// Nil when `record` is what `reference` says; of a client that went away, as far as it came.
    public static func between(_ record: RequestRecord, _ reference: ReferenceAnswer) -> AnswerMismatch? {
        var mismatch = AnswerMismatch(request: record.name, serverID: record.serverID, message: "")
        let got = Array(record.text.utf8)
        let expected = Array(reference.text.utf8)
        let common = zip(got, expected).prefix { $0 == $1 }.count
        if common < got.count || (common < expected.count && !record.isDisconnected) {
            mismatch.byteOffset = common
            mismatch.outputIndex = record.outputEnds.firstIndex { $0 > common } ?? record.outputEnds.count
            mismatch.message = "'\(excerpt(expected, at: common))' was expected, '\(excerpt(got, at: common))' came"
            return mismatch
        }
        guard !record.isDisconnected else { return nil }
        if record.finishReason != reference.finishReason {
            let (expected, got) = (reference.finishReason ?? "none", record.finishReason ?? "none")
            mismatch.message = "the text is equal, but the finish reason is '\(got)' and not '\(expected)'"
            return mismatch
        }
        if let expected = reference.outputTokenCount, let got = record.usageOutputTokenCount, expected != got {
            mismatch.message = "the text is equal, but of \(got) tokens and not \(expected)"
            return mismatch
        }
        return nil
    }

    /// Some text around `offset` on one line, from the beginning of a character.
    private static func excerpt(_ text: [UInt8], at offset: Int) -> String {
        func isContinuation(_ index: Int) -> Bool { index < text.count && text[index] & 0xC0 == 0x80 }
        var start = max(0, offset - 12)
        while start > 0, isContinuation(start) { start -= 1 }
        var end = min(text.count, offset + 24)
        while end < text.count, isContinuation(end) { end += 1 }
        let part = text[start..<end].map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }
        return String(decoding: part, as: UTF8.self) + (end < text.count ? "..." : "")
    }
}
