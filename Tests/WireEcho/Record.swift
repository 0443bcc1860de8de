import Glibc

/// One message on standard input or output: the length of its name in a byte, the name, the length of its frame as a
/// little-endian u32, and the frame.
struct Record {
    var name: String
    var frame: [UInt8]

    /// Nil at the end of the input.
    static func read(from stream: UnsafeMutablePointer<FILE>) -> Record? {
        var length: UInt8 = 0
        guard fread(&length, 1, 1, stream) == 1 else { return nil }
        let name = bytes(Int(length), from: stream)
        let count = bytes(4, from: stream).reversed().reduce(0) { $0 << 8 | Int($1) }
        return Record(name: String(decoding: name, as: UTF8.self), frame: bytes(count, from: stream))
    }

    func write(to stream: UnsafeMutablePointer<FILE>) {
        Self.write([UInt8(name.utf8.count)] + name.utf8 + Self.length(frame) + frame, to: stream)
    }

    /// What came of a record: 0 and a frame, or 1 and why it was refused.
    static func writeAnswer(_ status: UInt8, _ content: [UInt8], to stream: UnsafeMutablePointer<FILE>) {
        write([status] + length(content) + content, to: stream)
    }

    private static func length(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) }
    }

    private static func write(_ bytes: [UInt8], to stream: UnsafeMutablePointer<FILE>) {
        guard fwrite(bytes, 1, bytes.count, stream) == bytes.count else { exit(74) }
    }

    private static func bytes(_ count: Int, from stream: UnsafeMutablePointer<FILE>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { bytes, read in
            read = fread(bytes.baseAddress, 1, count, stream)
            guard read == count else { exit(65) }
        }
    }
}
