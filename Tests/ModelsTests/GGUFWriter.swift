import Tensors

/// Writes GGUF files for tests, wrong ones too.
struct GGUFWriter {
    indirect enum Value {
        case u8(UInt8), i8(Int8), u16(UInt16), i16(Int16), u32(UInt32), i32(Int32), u64(UInt64), i64(Int64)
        case f32(Float), f64(Double), bool(Bool), string(String)
        case array(elementType: UInt32, [Value])

        static func strings(_ strings: [String]) -> Value { .array(elementType: 8, strings.map(Value.string)) }
        static func int32s(_ numbers: [Int32]) -> Value { .array(elementType: 5, numbers.map(Value.i32)) }

        var typeNumber: UInt32 {
            switch self {
            case .u8: 0
            case .i8: 1
            case .u16: 2
            case .i16: 3
            case .u32: 4
            case .i32: 5
            case .f32: 6
            case .bool: 7
            case .string: 8
            case .array: 9
            case .u64: 10
            case .i64: 11
            case .f64: 12
            }
        }
    }

    struct Tensor {
        var name: String
        /// The first is the length of a row.
        var dimensions: [UInt64]
        var typeNumber: UInt32
        var data: [UInt8]
        /// In place of the true one.
        var claimedOffset: UInt64?

        init(_ name: String, _ format: TensorFormat, columns: Int, rows: Int? = nil, data: [UInt8]? = nil) {
            self.name = name
            dimensions = [UInt64(columns)] + (rows.map { [UInt64($0)] } ?? [])
            typeNumber = format.rawValue
            let byteCount = format.byteCount(rows: rows ?? 1, columns: columns) ?? 0
            self.data = data ?? Array(repeating: 0, count: byteCount)
        }
    }

    var magic = "GGUF"
    var version: UInt32 = 3
    var alignment = 32
    var metadata: [(key: String, value: Value)] = []
    var tensors: [Tensor] = []
    /// In place of the true ones.
    var claimedMetadataCount: UInt64?
    var claimedTensorCount: UInt64?

    /// Replaces the value of a key, adds it, or (nil) removes it.
    mutating func set(_ key: String, _ value: Value?) {
        let index = metadata.firstIndex { $0.key == key }
        switch (index, value) {
        case (let index?, let value?): metadata[index].value = value
        case (let index?, nil): metadata.remove(at: index)
        case (nil, let value?): metadata.append((key, value))
        case (nil, nil): break
        }
    }

    mutating func remove(tensor name: String) { tensors.removeAll { $0.name == name } }

    func bytes() -> [UInt8] {
        var out = Array(magic.utf8)
        Self.append(version, to: &out)
        Self.append(claimedTensorCount ?? UInt64(tensors.count), to: &out)
        Self.append(claimedMetadataCount ?? UInt64(metadata.count), to: &out)
        for (key, value) in metadata {
            Self.append(key, to: &out)
            Self.append(value.typeNumber, to: &out)
            Self.append(value, to: &out)
        }
        var offset = 0
        for tensor in tensors {
            Self.append(tensor.name, to: &out)
            Self.append(UInt32(tensor.dimensions.count), to: &out)
            for dimension in tensor.dimensions { Self.append(dimension, to: &out) }
            Self.append(tensor.typeNumber, to: &out)
            Self.append(tensor.claimedOffset ?? UInt64(offset), to: &out)
            offset = padded(offset + tensor.data.count)
        }
        for tensor in tensors {
            out.append(contentsOf: repeatElement(0, count: padded(out.count) - out.count))
            out.append(contentsOf: tensor.data)
        }
        return out
    }

    private func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    private static func append(_ value: some FixedWidthInteger, to out: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
    }

    private static func append(_ string: String, to out: inout [UInt8]) {
        append(UInt64(string.utf8.count), to: &out)
        out.append(contentsOf: string.utf8)
    }

    private static func append(_ value: Value, to out: inout [UInt8]) {
        switch value {
        case .u8(let value): append(value, to: &out)
        case .i8(let value): append(value, to: &out)
        case .u16(let value): append(value, to: &out)
        case .i16(let value): append(value, to: &out)
        case .u32(let value): append(value, to: &out)
        case .i32(let value): append(value, to: &out)
        case .u64(let value): append(value, to: &out)
        case .i64(let value): append(value, to: &out)
        case .f32(let value): append(value.bitPattern, to: &out)
        case .f64(let value): append(value.bitPattern, to: &out)
        case .bool(let value): append(UInt8(value ? 1 : 0), to: &out)
        case .string(let value): append(value, to: &out)
        case .array(let elementType, let elements):
            append(elementType, to: &out)
            append(UInt64(elements.count), to: &out)
            for element in elements { append(element, to: &out) }
        }
    }
}
