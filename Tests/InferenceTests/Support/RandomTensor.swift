import Tensors

/// Random weights in a file's format, together with their exact values.
struct RandomTensor {
    let format: TensorFormat
    let rows: Int
    let columns: Int
    private(set) var bytes: [UInt8] = []
    /// (rows, columns)
    private(set) var values: [Float] = []

    /// Values spread about `center` with a standard deviation of about `spread`.
    init(
        _ format: TensorFormat, rows: Int, columns: Int, center: Float = 0, spread: Float,
        _ random: inout SeededGenerator
    ) {
        self.format = format
        self.rows = rows
        self.columns = columns
        for _ in 0..<rows * columns / format.blockElementCount {
            switch format {
            case .f32, .f16, .bf16: appendValue(center + 1.7 * spread * random.symmetric())
            case .q4_0, .q4_1, .q8_0: appendBlock(spread, &random)
            }
        }
    }

    /// Replaces a value of an F32 tensor.
    mutating func set(row: Int, column: Int, to value: Float) {
        precondition(format == .f32)
        let index = row * columns + column
        values[index] = value
        bytes.replaceSubrange(4 * index..<4 * index + 4, with: ModelWriter.bytes(value.bitPattern))
    }

    private mutating func appendValue(_ value: Float) {
        switch format {
        case .f16:
            let half = Float16(value)
            bytes += ModelWriter.bytes(half.bitPattern)
            values.append(Float(half))
        case .bf16:
            bytes += ModelWriter.bytes(UInt16(value.bitPattern >> 16))
            values.append(Float(bitPattern: value.bitPattern & 0xFFFF_0000))
        default:
            bytes += ModelWriter.bytes(value.bitPattern)
            values.append(value)
        }
    }

    private mutating func appendBlock(_ spread: Float, _ random: inout SeededGenerator) {
        let stretch = 1 + 0.5 * random.symmetric()
        if format == .q8_0 {
            let scale = Float16(spread * stretch / 73)
            let quants = (0..<32).map { _ in Int8.random(in: -127...127, using: &random) }
            bytes += ModelWriter.bytes(scale.bitPattern) + quants.map { UInt8(bitPattern: $0) }
            values += quants.map { Float(scale) * Float($0) }
            return
        }
        let scale = Float16(spread * stretch / 4.6)
        let quants = (0..<32).map { _ in UInt8.random(in: 0...15, using: &random) }
        bytes += ModelWriter.bytes(scale.bitPattern)
        if format == .q4_1 {
            let least = Float16(-7.5 * Float(scale) + 0.1 * spread * random.symmetric())
            bytes += ModelWriter.bytes(least.bitPattern)
            values += quants.map { Float(scale) * Float($0) + Float(least) }
        } else {
            values += quants.map { Float(scale) * (Float($0) - 8) }
        }
        bytes += (0..<16).map { quants[$0] | quants[$0 + 16] << 4 }
    }
}
