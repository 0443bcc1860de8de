import Foundation
import Tensors

/// Writes GGUF files (version 3), as little of the format as the tests need.
struct ModelWriter {
    private var keys: [(name: String, type: UInt32, bytes: [UInt8])] = []
    private var tensors: [(name: String, format: TensorFormat, rows: Int?, columns: Int, bytes: [UInt8])] = []

    mutating func set(_ name: String, string: String) {
        keys.append((name, 8, Self.string(string)))
    }

    mutating func set(_ name: String, integer: Int) {
        keys.append((name, 4, Self.bytes(UInt32(integer))))
    }

    mutating func set(_ name: String, float: Float) {
        keys.append((name, 6, Self.bytes(float.bitPattern)))
    }

    /// `rows` nil writes a tensor of one dimension.
    mutating func add(_ name: String, format: TensorFormat, rows: Int?, columns: Int, bytes: [UInt8]) {
        tensors.append((name, format, rows, columns, bytes))
    }

    func write(to path: String) throws {
        var header: [UInt8] = Array("GGUF".utf8) + Self.bytes(UInt32(3))
        header += Self.bytes(UInt64(tensors.count)) + Self.bytes(UInt64(keys.count))
        for key in keys { header += Self.string(key.name) + Self.bytes(key.type) + key.bytes }
        var offset = 0
        for tensor in tensors {
            let dimensions = [tensor.columns] + (tensor.rows.map { [$0] } ?? [])
            header += Self.string(tensor.name) + Self.bytes(UInt32(dimensions.count))
            for dimension in dimensions { header += Self.bytes(UInt64(dimension)) }
            header += Self.bytes(tensor.format.rawValue) + Self.bytes(UInt64(offset))
            offset += Self.padded(tensor.bytes.count)
        }
        header += [UInt8](repeating: 0, count: Self.padded(header.count) - header.count)
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: header)
        for tensor in tensors {
            try file.write(contentsOf: tensor.bytes)
            let padding = Self.padded(tensor.bytes.count) - tensor.bytes.count
            try file.write(contentsOf: [UInt8](repeating: 0, count: padding))
        }
        try file.close()
    }

    static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func string(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }
    private static func padded(_ count: Int) -> Int { (count + 31) / 32 * 32 }
}
