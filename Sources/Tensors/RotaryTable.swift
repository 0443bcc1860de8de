import CKernels
import Memory

/// Cosines and sines of the rotary position embedding: angle = position · base^(−2i / dimension) / factor[i], computed
/// in float64 by our own functions and rounded once.
public final class RotaryTable: Sendable {
    /// Which elements of a head make a pair.
    public enum Pairing: String, Sendable, Hashable {
        /// (0, 1), (2, 3), ...
        case interleaved
        /// (0, n/2), (1, n/2 + 1), ...
        case halves
    }

    /// Elements of a head that are turned, from its first.
    public let rotaryDimension: Int
    public let positionCount: Int
    public let pairing: Pairing

    private let buffer: AlignedBuffer
    var pairCount: Int { rotaryDimension / 2 }

    /// - Parameter frequencyFactors: one divisor a pair, or nil.
    public init(
        rotaryDimension: Int, base: Double, positionCount: Int, pairing: Pairing, frequencyFactors: [Float]? = nil
    ) throws(TensorError) {
        guard rotaryDimension >= 2, rotaryDimension % 2 == 0, rotaryDimension <= 1 << 16,
            (1...1 << 24).contains(positionCount)
        else {
            throw TensorError(
                .invalidSize, "no rotary table of \(rotaryDimension) elements and \(positionCount) positions")
        }
        guard base > 0, base.isFinite else { throw TensorError(.nonFinite, "the rotary base \(base) is not usable") }
        let pairCount = rotaryDimension / 2
        if let frequencyFactors {
            guard frequencyFactors.count == pairCount else {
                throw TensorError(
                    .invalidSize, "\(frequencyFactors.count) rotary frequency factors for \(pairCount) pairs")
            }
            guard frequencyFactors.allSatisfy({ $0.isFinite && $0 != 0 }) else {
                throw TensorError(.nonFinite, "a rotary frequency factor is zero, infinite or not a number")
            }
        }
        do {
            buffer = try AlignedBuffer(byteCount: positionCount * rotaryDimension * MemoryLayout<Float>.size)
        } catch {
            throw TensorError(.outOfMemory, "no memory for a rotary table: \(error.message)")
        }
        self.rotaryDimension = rotaryDimension
        self.positionCount = positionCount
        self.pairing = pairing
        let frequencies = (0..<pairCount).map { pair in
            let frequency = sl_pow64(base, -2 * Double(pair) / Double(rotaryDimension))
            return frequencyFactors.map { frequency / Double($0[pair]) } ?? frequency
        }
        let values = buffer.pointer(to: Float.self)
        for position in 0..<positionCount {
            let row = values + position * rotaryDimension
            for (pair, frequency) in frequencies.enumerated() {
                var sine = 0.0
                var cosine = 0.0
                sl_sincos64(Double(position) * frequency, &sine, &cosine)
                row[pair] = Float(cosine)
                row[pairCount + pair] = Float(sine)
            }
        }
    }

    /// `pairCount` cosines of a position.
    func cosines(_ position: Int) -> UnsafePointer<Float> {
        UnsafePointer(buffer.pointer(to: Float.self) + position * rotaryDimension)
    }

    /// `pairCount` sines of a position.
    func sines(_ position: Int) -> UnsafePointer<Float> { cosines(position) + pairCount }
}
