import Foundation
import Tensors

/// Random rows of a format and what the PyPI package gguf makes of them (Fixtures/make-formats.py).
struct FormatFixture {
    let typeNumber: UInt32
    let rows: Int
    let columns: Int
    let bytes: [UInt8]
    /// (rows, columns)
    let values: [Float]

    static func readAll() throws -> [FormatFixture] {
        guard let url = Bundle.module.url(forResource: "formats", withExtension: "bin", subdirectory: "Fixtures") else {
            throw CocoaError(.fileNoSuchFile)
        }
        let data = [UInt8](try Data(contentsOf: url))
        var fixtures: [FormatFixture] = []
        var at = 0
        func word() -> UInt32 {
            defer { at += 4 }
            return (0..<4).reduce(0) { $0 | UInt32(data[at + $1]) << (8 * UInt32($1)) }
        }
        while at < data.count {
            let typeNumber = word()
            let (rows, columns) = (Int(word()), Int(word()))
            guard let format = TensorFormat(rawValue: typeNumber),
                let byteCount = format.byteCount(rows: rows, columns: columns)
            else { throw CocoaError(.fileReadCorruptFile) }
            let bytes = Array(data[at..<at + byteCount])
            at += byteCount
            let values = (0..<rows * columns).map { _ in Float(bitPattern: word()) }
            fixtures.append(
                FormatFixture(typeNumber: typeNumber, rows: rows, columns: columns, bytes: bytes, values: values))
        }
        return fixtures
    }
}
