/// Properties of one frame. Bits without a meaning are 0; a frame with another bit set is refused.
public struct FrameFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The bulk part is one LZ4 block of `bulkUncompressedByteCount` bytes.
    public static let bulkIsCompressed = FrameFlags(rawValue: 1 << 0)
    /// `bodyChecksum` holds the CRC-32C of the body. Left out where the transport protects the bytes (TLS).
    public static let checksummed = FrameFlags(rawValue: 1 << 1)

    /// Before it was compressed, the bulk part's bytes at even places were put before those at odd ones.
    public static let bulkIsShuffled = FrameFlags(rawValue: 1 << 2)

    static let known: FrameFlags = [.bulkIsCompressed, .checksummed, .bulkIsShuffled]
}
