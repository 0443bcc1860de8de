package import Memory
import Vocabulary

/// What sampling one row needs beside its logits. Rows that are sampled at the same time need one each.
package final class SamplerScratch {
    let vocabularySize: Int
    private let buffer: AlignedBuffer
    /// (vocabularySize): keys of candidates.
    let keys: UnsafeMutablePointer<RankKey>
    /// (vocabularySize): weights of candidates, by token.
    let weights: UnsafeMutablePointer<Float>
    /// Logits that were changed for this sample, as they were.
    var changes: [(token: Int, logit: Float)] = []

    package init(vocabularySize: Int) throws(MemoryError) {
        self.vocabularySize = vocabularySize
        let keyByteCount = (vocabularySize * MemoryLayout<RankKey>.stride + 63) & ~63
        buffer = try AlignedBuffer(byteCount: keyByteCount + vocabularySize * MemoryLayout<Float>.stride)
        keys = buffer.base.bindMemory(to: RankKey.self, capacity: vocabularySize)
        weights = (buffer.base + keyByteCount).bindMemory(to: Float.self, capacity: vocabularySize)
    }

    /// The place of the weights as counters, for penalties; the weights are not in use then.
    func withCounters<R>(_ body: (UnsafeMutablePointer<UInt32>) -> R) -> R {
        weights.withMemoryRebound(to: UInt32.self, capacity: vocabularySize, body)
    }
}
