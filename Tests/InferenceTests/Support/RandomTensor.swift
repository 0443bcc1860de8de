import Tensors

/// Random weights in a file's format, together with their exact values.
struct RandomTensor {
    let format: TensorFormat
    let rows: Int
    let columns: Int
    private(set) var bytes: [UInt8] = []
    /// (rows, columns)
    private(set) var values: [Float] = []

    /// Values spread about `center` with a standard deviation of about `spread`; blocks are spread about zero.
    init(
        _ format: TensorFormat, rows: Int, columns: Int, center: Float = 0, spread: Float,
        _ random: inout SeededGenerator
    ) {
        self.format = format
        self.rows = rows
        self.columns = columns
        guard let layout = BlockLayout(format) else {
            for _ in 0..<rows * columns { appendValue(center + 1.7 * spread * random.symmetric()) }
            return
        }
        for _ in 0..<rows * columns / format.blockElementCount {
            bytes += layout.block(spread: spread, &random)
        }
        values = Self.dequantise(bytes, format, rows: rows, columns: columns)
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

    /// What packed rows say their values are: TensorsTests hold them to the format's definition.
    private static func dequantise(_ bytes: [UInt8], _ format: TensorFormat, rows: Int, columns: Int) -> [Float] {
        var values = [Float](repeating: .nan, count: rows * columns)
        let packed = bytes.withUnsafeBytes { bytes in
            try? ComputeContext(threadCount: 1, instructionSet: .scalar)
                .pack(bytes, format: format, rows: rows, columns: columns)
        }
        guard let packed else { preconditionFailure("random \(format.name) of \(rows) x \(columns) is not valid") }
        values.withUnsafeMutableBufferPointer { values in
            guard let base = values.baseAddress else { return }
            for row in 0..<rows { packed.dequantizeRow(row, into: base + row * columns) }
        }
        return values
    }
}
