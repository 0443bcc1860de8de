import Glibc
import Memory
import Wire

/// Frames: parses a damaged header, checks and decompresses the body, and decodes it as a message. Mostly the checksums
/// are made to fit the damage again, as somebody who means harm would.
struct FrameFuzz: FuzzSubject {
    private struct Seed {
        var bytes: [UInt8]
        /// What the control part holds; nil for frames without one.
        var message: (any WireValue.Type)?
    }

    private let seeds: [Seed]
    private let pool = BufferPool()

    /// - Parameter corpusPath: a file with one frame in hexadecimal; nil for the golden frames of the repository.
    init(corpusPath: String?) throws {
        if let corpusPath {
            seeds = [Seed(bytes: Self.bytes(ofHex: try Self.text(of: corpusPath)))]
        } else {
            seeds = try Self.goldenFrames()
        }
        guard seeds.allSatisfy({ $0.bytes.count >= FrameHeader.byteCount }) else {
            throw FuzzFailure("a frame of the corpus is shorter than a header")
        }
    }

    mutating func run(_ random: inout FuzzRandom) throws -> Bool {
        let seed = seeds[random.below(seeds.count)]
        var header = Array(seed.bytes[..<FrameHeader.byteCount])
        var body = Array(seed.bytes[FrameHeader.byteCount...])
        let keepsLengths = !random.once(in: 8)
        let controlByteCount = try Self.parse(header).controlByteCount
        var control = Array(body[..<controlByteCount])
        let bulk = Array(body[controlByteCount...])
        if !control.isEmpty, random.once(in: 2) { ByteMutator.mutate(&control, headByteCount: control.count, &random) }
        if keepsLengths { Self.store(UInt32(control.count), in: &header, at: 12) }
        body = control + bulk
        if !body.isEmpty, random.once(in: 8) { ByteMutator.mutate(&body, headByteCount: body.count, &random) }
        if random.once(in: 4) { Self.damage(&header, &random) }
        if !random.once(in: 8) {
            Self.store(body.withUnsafeBytes { CRC32C.checksum($0) }, in: &header, at: 72)
            Self.store(header[..<76].withUnsafeBytes { CRC32C.checksum($0) }, in: &header, at: 76)
        }
        let all = MessageCatalog.all
        let message = random.once(in: 8) ? nil : seed.message
        do throws(WireError) {
            return try receive(header: header, body: body, as: message ?? all[random.below(all.count)])
        } catch {
            // Refusing is right; saying nothing about it is not.
            guard error.message.count > 10, error.message.utf8.count < 1000 else {
                throw FuzzFailure("an error says too little or too much: \(error.message.prefix(200))")
            }
            return false
        }
    }

    /// One to four bytes of the header; its length stays, as it does on a connection.
    private static func damage(_ header: inout [UInt8], _ random: inout FuzzRandom) {
        for _ in 0...random.below(4) {
            let position = random.below(header.count)
            header[position] =
                random.once(in: 2) ? header[position] ^ 1 << UInt8(random.below(8)) : UInt8(random.below(256))
        }
    }

    /// All that the transport does with a frame, but for the sockets.
    private func receive(header: [UInt8], body: [UInt8], as type: any WireValue.Type) throws(WireError) -> Bool {
        let header = try Self.parse(header)
        // The lengths ask for more than came: a connection would wait.
        guard header.controlByteCount + header.bulkByteCount <= body.count else { return false }
        let control = Array(body[..<header.controlByteCount])
        let sent = Array(body[header.controlByteCount..<(header.controlByteCount + header.bulkByteCount)])
        try Self.verify(header, control, sent)
        var bulk: BufferSlice?
        if !sent.isEmpty {
            let received = try Self.outOfMemory { () throws(MemoryError) in try BufferSlice(copying: sent) }
            let isCompressed = header.flags.contains(.bulkIsCompressed)
            // A quarter of a gigabyte a case would take all the time.
            guard header.bulkUncompressedByteCount <= 1 << 20 else { return false }
            bulk =
                isCompressed
                ? try BulkCodec.decompress(received, of: header, pool: pool) : received
        }
        let value = try Self.decode(type, control, header.stamp, bulk)
        // What was accepted is sent on the same for ever.
        let again = try value.encodeControl()
        let back = try Self.decode(type, again, value.stamp, value.bulk).encodeControl()
        precondition(back == again, "a message changes when it is sent on")
        return true
    }

    private static func parse(_ header: [UInt8]) throws(WireError) -> FrameHeader {
        try withBytes(of: header) { bytes throws(WireError) in try FrameHeader(parsing: bytes) }
    }

    private static func verify(_ header: FrameHeader, _ control: [UInt8], _ bulk: [UInt8]) throws(WireError) {
        try withBytes(of: control) { control throws(WireError) in
            try withBytes(of: bulk) { bulk throws(WireError) in try header.verifyBody(control: control, bulk: bulk) }
        }
    }

    private static func decode(
        _ type: any WireValue.Type, _ control: [UInt8], _ stamp: FrameStamp, _ bulk: BufferSlice?
    ) throws(WireError) -> any WireValue {
        try withBytes(of: control) { bytes throws(WireError) in try type.init(control: bytes, stamp: stamp, bulk: bulk)
        }
    }

    /// A copy of its own for each use: the sanitizer sees a byte read beyond the end.
    private static func withBytes<Result>(
        of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> Result
    ) throws(WireError) -> Result {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return try body(UnsafeRawBufferPointer(copy))
    }

    private static func outOfMemory<Result>(
        _ body: () throws(MemoryError) -> Result
    ) throws(WireError) -> Result {
        do throws(MemoryError) {
            return try body()
        } catch {
            throw WireError(.outOfMemory, error.message)
        }
    }

    private static func store(_ value: UInt32, in header: inout [UInt8], at offset: Int) {
        for index in 0..<4 { header[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
    }
}

// MARK: - Corpus

extension FrameFuzz {
    private static func goldenFrames() throws -> [Seed] {
        let types = Dictionary(uniqueKeysWithValues: MessageCatalog.all.map { ("\($0)", $0) })
        let repository = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let folder = repository.joined(separator: "/") + "/Protocols/golden/"
        return try text(of: folder + "index.txt").split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let words = line.split(separator: " ")
            guard words.count >= 2 else { throw FuzzFailure("\(folder)index.txt: \(line)") }
            return Seed(bytes: bytes(ofHex: try text(of: folder + words[0] + ".hex")), message: types[String(words[1])])
        }
    }

    private static func bytes(ofHex text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue).map(UInt8.init)
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static func text(of path: String) throws -> String {
        guard let stream = fopen(path, "rb") else { throw FuzzFailure("\(path): \(String(cString: strerror(errno)))") }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
