import Models
import Tensors

/// The most memory that a process with the model has.
struct MemoryFigures: Encodable {
    let fileByteCount: Int
    let kvByteCount: Int
    /// RssAnon and RssFile when their sum was largest, sampled every millisecond while the model was loaded and then
    /// ran over all its KV cache, in steps of up to 512 rows.
    let anonymousByteCount: Int
    let mappedByteCount: Int

    var peakByteCount: Int { anonymousByteCount + mappedByteCount }
    /// Beyond the file's size and the KV cache.
    var aboveByteCount: Int { peakByteCount - fileByteCount - kvByteCount }
    /// What is allowed: a tenth of the file, and 64 MiB.
    var allowedByteCount: Int { fileByteCount / 10 + 64 << 20 }

    /// - Precondition: nothing else that is large is in this process's memory.
    static func measure(path: String, context: ComputeContext) throws -> MemoryFigures {
        var sizes = (file: 0, kv: 0)
        let peak = try MemoryWatch.peak {
            let file = try ModelFile(path: path)
            let description = try ModelDescription(file)
            let weights = try ModelSession.load(file, description: description, context: context)
            // Full blocks, so that all of the cache is touched.
            let positions = min(ModelSession.rowCountMax, description.contextLength)
            guard let prompt = Work("prompt\(positions)"), let decode = Work("decode") else { return }
            let session = try ModelSession(
                weights: weights, context: context, works: [prompt, decode], tokenCount: min(positions, 16))
            _ = try session.measure(prompt)
            _ = try session.measure(decode)
            sizes = (file.byteCount, session.kvByteCount)
        }
        return MemoryFigures(
            fileByteCount: sizes.file, kvByteCount: sizes.kv, anonymousByteCount: peak.anonymous,
            mappedByteCount: peak.file)
    }

    var text: String {
        func mebibytes(_ count: Int) -> String { "\(count >> 20) MiB" }
        return """
            memory: at most \(mebibytes(peakByteCount)) while loading and running (RssAnon \
            \(mebibytes(anonymousByteCount)), RssFile \(mebibytes(mappedByteCount))); file \
            \(mebibytes(fileByteCount)), KV \(mebibytes(kvByteCount)), above both \(mebibytes(aboveByteCount)) \
            (allowed \(mebibytes(allowedByteCount)))

            """
    }

    private enum CodingKeys: String, CodingKey {
        case fileByteCount, kvByteCount, anonymousByteCount, mappedByteCount, peakByteCount, aboveByteCount,
            allowedByteCount
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(fileByteCount, forKey: .fileByteCount)
        try container.encode(kvByteCount, forKey: .kvByteCount)
        try container.encode(anonymousByteCount, forKey: .anonymousByteCount)
        try container.encode(mappedByteCount, forKey: .mappedByteCount)
        try container.encode(peakByteCount, forKey: .peakByteCount)
        try container.encode(aboveByteCount, forKey: .aboveByteCount)
        try container.encode(allowedByteCount, forKey: .allowedByteCount)
    }
}
