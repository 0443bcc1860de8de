import CPlatform

/// CRC-32C (Castagnoli; polynomial 0x1EDC6F41, reflected, as in RFC 3720), with the processor's instruction where it
/// has one. The checksum of "123456789" is 0xE3069283.
public enum CRC32C {
    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        sl_crc32c_extend(0, bytes.baseAddress, bytes.count)
    }

    /// The checksum of what `checksum` stands for, followed by `bytes`. 0 stands for nothing.
    public static func extend(_ checksum: UInt32, with bytes: UnsafeRawBufferPointer) -> UInt32 {
        sl_crc32c_extend(checksum, bytes.baseAddress, bytes.count)
    }

    /// The same by tables alone, for tests.
    package static func extendByTables(_ checksum: UInt32, with bytes: UnsafeRawBufferPointer) -> UInt32 {
        sl_crc32c_extend_by_tables(checksum, bytes.baseAddress, bytes.count)
    }

    /// Whether the processor's instruction is in use.
    public static var usesInstruction: Bool { sl_crc32c_uses_instruction() }
}
