package import Tensors

/// What stands before the tensor data of a GGUF file (version 3), and where each tensor will lie.
package struct GGUFHeader: Sendable {
    package struct Tensor: Sendable, Hashable {
        package let name: String
        package let format: TensorFormat
        /// The first is the length of a row.
        package let dimensions: [Int]
        package let byteCount: Int

        package var columns: Int { dimensions[0] }
        package var rows: Int { dimensions.dropFirst().reduce(1, *) }
    }

    package static let alignment = 32

    package private(set) var keys: [(name: String, value: GGUFValue)] = []
    package private(set) var tensors: [Tensor] = []

    package init() {}

    package mutating func set(_ name: String, _ value: GGUFValue) {
        keys.removeAll { $0.name == name }
        keys.append((name, value))
    }

    /// - Parameter rows: nil for a tensor of one dimension.
    /// - Precondition: a row is a whole number of the format's blocks.
    package mutating func add(_ name: String, _ format: TensorFormat, rows: Int?, columns: Int) {
        guard let byteCount = format.byteCount(rows: rows ?? 1, columns: columns) else {
            preconditionFailure("\(name): rows of \(columns) are not whole blocks of \(format.name)")
        }
        let dimensions = [columns] + (rows.map { [$0] } ?? [])
        tensors.append(Tensor(name: name, format: format, dimensions: dimensions, byteCount: byteCount))
    }

    /// The header with its padding; tensor data begins right behind it.
    package func bytes() -> [UInt8] {
        var bytes = Array("GGUF".utf8)
        bytes.append(littleEndian: UInt32(3))
        bytes.append(littleEndian: UInt64(tensors.count))
        bytes.append(littleEndian: UInt64(keys.count))
        for key in keys {
            bytes.append(gguf: key.name)
            bytes.append(littleEndian: key.value.typeNumber)
            key.value.append(to: &bytes)
        }
        var offset = 0
        for tensor in tensors {
            bytes.append(gguf: tensor.name)
            bytes.append(littleEndian: UInt32(tensor.dimensions.count))
            for dimension in tensor.dimensions { bytes.append(littleEndian: UInt64(dimension)) }
            bytes.append(littleEndian: tensor.format.rawValue)
            bytes.append(littleEndian: UInt64(offset))
            offset += Self.padded(tensor.byteCount)
        }
        bytes += [UInt8](repeating: 0, count: Self.padded(bytes.count) - bytes.count)
        return bytes
    }

    static func padded(_ byteCount: Int) -> Int { (byteCount + alignment - 1) / alignment * alignment }
}
