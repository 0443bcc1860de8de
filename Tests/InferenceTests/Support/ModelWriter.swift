import ModelWriting
import Tensors

/// Collects a small model and writes it as a GGUF file.
struct ModelWriter {
    private var header = GGUFHeader()
    private var contents: [[UInt8]] = []

    mutating func set(_ name: String, string: String) { header.set(name, .string(string)) }
    mutating func set(_ name: String, integer: Int) { header.set(name, .unsigned(UInt32(integer))) }
    mutating func set(_ name: String, float: Float) { header.set(name, .float(float)) }

    /// `rows` nil writes a tensor of one dimension.
    mutating func add(_ name: String, format: TensorFormat, rows: Int?, columns: Int, bytes: [UInt8]) {
        header.add(name, format, rows: rows, columns: columns)
        contents.append(bytes)
    }

    func write(to path: String) throws {
        let output = try GGUFOutput(path: path, header: header)
        for bytes in contents { try bytes.withUnsafeBytes { try output.append($0) } }
        try output.close()
    }

    static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: value)
        return bytes
    }
}
