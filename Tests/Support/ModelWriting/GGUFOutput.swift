import Foundation

/// Writes a GGUF file from its beginning to its end, tensor by tensor, in pieces.
package final class GGUFOutput {
    private let path: String
    private let header: GGUFHeader
    private let file: FileHandle
    private var tensorIndex = 0
    /// Written of the current tensor.
    private var byteCount = 0

    /// Creates the file, or replaces what is there, and writes the header.
    package init(path: String, header: GGUFHeader) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw WritingError("\(path) cannot be created; is the folder there, and may it be written to?")
        }
        self.path = path
        self.header = header
        file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: header.bytes())
    }

    /// The tensor that is written next; nil when all are.
    package var nextTensor: GGUFHeader.Tensor? {
        tensorIndex < header.tensors.count ? header.tensors[tensorIndex] : nil
    }

    /// Writes a piece of the current tensor; the next one begins when all its bytes are there.
    package func append(_ piece: UnsafeRawBufferPointer) throws {
        guard let tensor = nextTensor, byteCount + piece.count <= tensor.byteCount else {
            throw WritingError("\(path): more bytes than the tensors that were announced have")
        }
        // No copy: the bytes are written before this returns.
        if let base = piece.baseAddress, piece.count > 0 {
            let bytes = Data(
                bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: piece.count, deallocator: .none)
            try file.write(contentsOf: bytes)
        }
        byteCount += piece.count
        guard byteCount == tensor.byteCount else { return }
        try file.write(contentsOf: [UInt8](repeating: 0, count: GGUFHeader.padded(byteCount) - byteCount))
        tensorIndex += 1
        byteCount = 0
    }

    package func append(_ values: [Float]) throws {
        try values.withUnsafeBytes { try append($0) }
    }

    /// - Throws: when tensors are missing, too.
    package func close() throws {
        try file.close()
        guard let tensor = nextTensor else { return }
        throw WritingError("\(path): tensor \(tensor.name) was announced but not written")
    }
}
