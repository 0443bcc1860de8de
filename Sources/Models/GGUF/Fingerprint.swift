import CPlatform
import Tensors

/// Tells whether two processes have the same model file without reading all of it.
enum Fingerprint {
    /// How much of a tensor's start and of its end goes in.
    private static let edgeByteCount = 4096

    /// Hex SHA-256 over the header (everything before the tensor data), the file's size as a little-endian u64, and
    /// the first and the last 4 KiB of each tensor in the header's order.
    static func compute(
        of bytes: UnsafeRawBufferPointer, headerByteCount: Int, tensors: [TensorDescription]
    ) throws(ModelError) -> String {
        let failure = ModelError(.unreadable, "OpenSSL cannot compute SHA-256 here")
        guard let context = EVP_MD_CTX_new() else { throw failure }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw failure }
        func add(_ part: UnsafeRawBufferPointer) -> Bool {
            EVP_DigestUpdate(context, part.baseAddress, part.count) == 1
        }
        func add(_ range: Range<Int>) -> Bool { add(UnsafeRawBufferPointer(rebasing: bytes[range])) }

        var isComplete = add(0..<headerByteCount)
        var fileByteCount = UInt64(bytes.count).littleEndian
        isComplete = isComplete && withUnsafeBytes(of: &fileByteCount) { add($0) }
        for tensor in tensors {
            let edge = min(edgeByteCount, tensor.byteCount)
            let end = tensor.offset + tensor.byteCount
            isComplete = isComplete && add(tensor.offset..<tensor.offset + edge) && add(end - edge..<end)
        }
        var digest = [UInt8](repeating: 0, count: ContentHash.byteCount)
        guard isComplete, EVP_DigestFinal_ex(context, &digest, nil) == 1 else { throw failure }
        return digest.withUnsafeBytes { ContentHash(stored: $0).description }
    }
}
