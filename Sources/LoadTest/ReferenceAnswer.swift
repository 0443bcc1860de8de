import Foundation

/// What a request was answered when it ran alone.
public struct ReferenceAnswer: Hashable, Sendable, Codable {
    /// `LoadRequest.name`.
    public var request: String
    /// `LoadRequest.fingerprint`.
    public var fingerprint: String
    public var text: String
    public var finishReason: String?
    public var outputTokenCount: Int?

    public init(
        request: String, fingerprint: String, text: String, finishReason: String? = nil, outputTokenCount: Int? = nil
    ) {
        self.request = request
        self.fingerprint = fingerprint
        self.text = text
        self.finishReason = finishReason
        self.outputTokenCount = outputTokenCount
    }

    private enum CodingKeys: String, CodingKey {
        case request, fingerprint, text
        case finishReason = "finish_reason"
        case outputTokenCount = "output_tokens"
    }
}

extension LoadRequest {
    /// Of all that decides the answer: requests of one fingerprint are the same question. 16 hexadecimal digits.
    public var fingerprint: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Neither holds anything that JSON cannot.
        let body = (try? plan.endpoint == .chat ? encoder.encode(chat) : encoder.encode(completion)) ?? Data()
        // FNV-1a: small, and the same everywhere.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in body { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
