import Tensors

/// Rotary position embedding: which dimensions turn, and how fast.
struct RotaryShape {
    let dimension: Int
    let base: Double
    /// Divisors of the angles; nil when all are 1.
    let factors: [Float]?

    init(_ keys: MetadataReader, file: ModelFile, headSize: Int) throws(ModelError) {
        dimension = try keys.integerIfPresent("rope.dimension_count", in: 2...1024) ?? headSize
        guard dimension <= headSize, dimension % 2 == 0 else {
            throw ModelError(
                .malformed,
                "\(dimension) rotated dimensions in heads of \(headSize); they must be even in number and "
                    + "fit")
        }
        base = try keys.numberIfPresent("rope.freq_base", in: 1...1e12) ?? 10_000
        let scale = try Self.linearScale(keys)
        let ownFactors = try Self.factors(file, pairCount: dimension / 2)
        if scale == 1 {
            factors = ownFactors
        } else {
            // p / scale * frequency is p * frequency / scale: a linear scale is a factor of every pair.
            factors = (ownFactors ?? Array(repeating: 1, count: dimension / 2)).map { $0 * scale }
        }
    }

    private static func linearScale(_ keys: MetadataReader) throws(ModelError) -> Float {
        let type = try keys.stringIfPresent("rope.scaling.type")
        let legacy = try keys.numberIfPresent("rope.scale_linear", in: 1e-3...1e6)
        let factor = try keys.numberIfPresent("rope.scaling.factor", in: 0...1e6)
        switch type {
        case "none": return 1
        case nil, "linear":
            guard let factor, factor != 0 else { return Float(legacy ?? 1) }
            return Float(factor)
        case let type?:
            throw ModelError(
                .unsupported,
                "rope.scaling.type \(ModelError.quote(type)) is not supported; supported: none, linear, "
                    + "and factors in \(TensorNames.rotaryFactors)")
        }
    }

    private static func factors(_ file: ModelFile, pairCount: Int) throws(ModelError) -> [Float]? {
        guard let tensor = file.tensor(TensorNames.rotaryFactors) else { return nil }
        guard tensor.format == .f32, tensor.rows == 1, tensor.columns == pairCount else {
            throw ModelError(
                .malformed,
                "tensor \(tensor.name) is \(tensor.format.name) of \(tensor.rows) x \(tensor.columns); "
                    + "\(pairCount) F32 factors are needed")
        }
        let bytes = file.bytes(of: tensor)
        let factors = (0..<pairCount).map { index in
            Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
        }
        guard factors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw ModelError(.malformed, "tensor \(tensor.name) has a factor that is not a positive number")
        }
        return factors
    }
}
