import CPlatform

/// A SHA-256: the name of bytes, and the proof that they are whole.
public struct ContentHash: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// Of `bytes`; nil when OpenSSL cannot compute it, which is a setting of the machine.
    public init?(of bytes: UnsafeRawBufferPointer) {
        let isComputed = withUnsafeMutableBytes(of: &words) { target in
            EVP_Digest(
                bytes.baseAddress, bytes.count, target.baseAddress?.assumingMemoryBound(to: UInt8.self), nil,
                EVP_sha256(), nil) == 1
        }
        guard isComputed else { return nil }
    }

    /// A hash as it was stored: 32 bytes.
    public init(stored bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount, "a hash of \(bytes.count) bytes")
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// In hexadecimal.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    public func hash(into hasher: inout Hasher) { withUnsafeBytes(of: words) { hasher.combine(bytes: $0) } }
}
