import Testing
import Vocabulary
import Wire
import WireSamples

@Suite struct FrameHeaderTests {
    static let example = FrameHeader(
        kind: .call, flags: [.checksummed, .bulkIsCompressed], method: 0x0102, controlByteCount: 0x010203,
        bulkByteCount: 0x040506, bulkUncompressedByteCount: 0x0708090A, call: 0x1112_1314_1516_1718,
        actor: 0x2122_2324_2526_2728,
        stamp: FrameStamp(
            term: Term(0x3132_3334_3536_3738), incarnation: Incarnation(0x4142_4344_4546_4748),
            epoch: Epoch(0x5152_5354_5556_5758), step: StepNumber(0x6162_6364_6566_6768)),
        bodyChecksum: 0x7172_7374)

    /// The layout of wire.md, byte by byte.
    @Test func layoutIsFixed() {
        var expected: [UInt8] = Array("SHRD".utf8) + [1, 4, 3, 0, 2, 1, 0, 0, 3, 2, 1, 0, 6, 5, 4, 0, 0x0A, 9, 8, 7]
        for high in stride(from: UInt8(0x10), through: 0x60, by: 0x10) {
            expected += (1...8).reversed().map { high + $0 }
        }
        expected += [0x74, 0x73, 0x72, 0x71]
        let encoded = Self.example.encoded()
        #expect(Array(encoded[..<76]) == expected)
        #expect(encoded == reseal(encoded))
    }

    @Test func everyHeaderComesBack() throws {
        var random = RandomSource(seed: 3)
        for _ in 0..<5000 {
            let kind = FrameKind.allCases[random.int(0...(FrameKind.allCases.count - 1))]
            let isCompressed = kind.mayCarryBulk && random.bool()
            let bulkMax = FrameLimits.bulkByteCountMax(of: kind)
            let bulkByteCount = kind.mayCarryBulk ? random.int(1...(bulkMax - 1)) : 0
            var header = FrameHeader(
                kind: kind, flags: isCompressed ? [.bulkIsCompressed] : [],
                method: UInt16(random.int(kind.namesMethod ? 1...65_535 : 0...65_535)),
                controlByteCount: random.int(0...FrameLimits.controlByteCountMax(of: kind)),
                bulkByteCount: bulkByteCount,
                bulkUncompressedByteCount: isCompressed
                    ? random.int((bulkByteCount + 1)...bulkMax) : nil,
                call: kind.namesCall ? max(1, random.wide()) : random.wide(), actor: random.wide(),
                stamp: random.stamp())
            if random.bool() {
                header.flags.insert(.checksummed)
                header.bodyChecksum = UInt32(truncatingIfNeeded: random.next())
            }
            #expect(try FrameHeader.parse(header.encoded() + random.bytes(0...8)) == header)
            #expect(header.frameByteCount == 80 + header.controlByteCount + header.bulkByteCount)
        }
    }

    @Test func everyFlippedBitIsNoticed() throws {
        var random = RandomSource(seed: 4)
        for header in [Self.example, FrameHeader(kind: .ping, call: 9, stamp: random.stamp())] {
            let encoded = header.encoded()
            for bit in 0..<(80 * 8) {
                var damaged = encoded
                damaged[bit / 8] ^= 1 << (bit % 8)
                let expected: WireError.Kind = bit < 32 ? .notAFrame : .checksumMismatch
                #expect(throws: WireError.self) { try FrameHeader.parse(damaged) }
                #expect(kindOfError { _ = try FrameHeader.parse(damaged) } == expected)
            }
        }
    }

    @Test func tooFewBytesAreNoHeader() {
        let encoded = Self.example.encoded()
        for count in 0..<80 {
            #expect(kindOfError { _ = try FrameHeader.parse(Array(encoded[..<count])) } == .notAFrame)
        }
    }

    /// Each change is sealed with a checksum that fits: the field itself must be refused.
    @Test(
        arguments: [
            (4, [0], .unsupportedVersion), (4, [2], .unsupportedVersion), (4, [255], .unsupportedVersion),
            (5, [0], .malformedHeader), (5, [99], .malformedHeader), (5, [255], .malformedHeader),
            (6, [8, 0], .malformedHeader), (6, [0, 0x80], .malformedHeader), (6, [6, 0], .malformedHeader),
            (8, [0, 0], .malformedHeader),
            (10, [1, 0], .malformedHeader), (10, [0, 1], .malformedHeader),
            (12, [1, 0, 0x40, 0], .tooLarge), (12, [255, 255, 255, 255], .tooLarge),
            (16, [1, 0, 0, 0x10], .tooLarge), (16, [255, 255, 255, 255], .tooLarge),
            (20, [1, 0, 0, 0x10], .tooLarge), (20, [255, 255, 255, 255], .tooLarge),
            // Compressed to nothing, to the same size, and without the flag to less.
            (16, [0, 0, 0, 0], .malformedHeader), (20, [6, 5, 4, 0], .malformedHeader), (6, [2, 0], .malformedHeader),
            (24, [0, 0, 0, 0, 0, 0, 0, 0], .malformedHeader),
            // A checksum without its flag.
            (6, [1, 0], .malformedHeader),
        ] as [(Int, [UInt8], WireError.Kind)])
    func refusesBadFields(offset: Int, bytes: [UInt8], expected: WireError.Kind) {
        var encoded = Self.example.encoded()
        encoded.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        #expect(kindOfError { _ = try FrameHeader.parse(reseal(encoded)) } == expected)
    }

    @Test(arguments: FrameKind.allCases)
    func eachKindHasItsLimits(kind: FrameKind) throws {
        let controlMax = FrameLimits.controlByteCountMax(of: kind)
        var header = FrameHeader(kind: kind, method: 1, controlByteCount: controlMax, call: 1)
        #expect(try FrameHeader.parse(header.encoded()) == header)
        header.controlByteCount = controlMax + 1
        #expect(kindOfError { _ = try FrameHeader.parse(header.encoded()) } == .tooLarge)
        header.controlByteCount = 0
        header.bulkByteCount = FrameLimits.bulkByteCountMax(of: kind) + 1
        header.bulkUncompressedByteCount = header.bulkByteCount
        #expect(kindOfError { _ = try FrameHeader.parse(header.encoded()) } == .tooLarge)
        #expect(kindOfError { try header.validate() } == .tooLarge)
    }

    @Test func lengthsThatDoNotFitTheHeaderAreNeverEncoded() {
        for count in [-1, Int.min, Int.max, 1 << 32] {
            #expect(
                kindOfError { try FrameHeader(kind: .oneWay, method: 1, controlByteCount: count).validate() }
                    == .tooLarge)
            #expect(
                kindOfError { try FrameHeader(kind: .oneWay, method: 1, bulkByteCount: count).validate() } == .tooLarge)
        }
    }

    @Test func bodiesAreChecked() throws {
        let control: [UInt8] = [1, 2, 3]
        let bulk: [UInt8] = [4, 5, 6, 7]
        var header = FrameHeader(
            kind: .oneWay, flags: .checksummed, method: 1, controlByteCount: 3, bulkByteCount: 4,
            bodyChecksum: (control + bulk).withUnsafeBytes { CRC32C.checksum($0) })
        func verify(_ control: [UInt8], _ bulk: [UInt8]) throws {
            try control.withUnsafeBytes { control in
                try bulk.withUnsafeBytes { bulk in try header.verifyBody(control: control, bulk: bulk) }
            }
        }
        try verify(control, bulk)
        #expect(kindOfError { try verify([1, 2, 2], bulk) } == .checksumMismatch)
        #expect(kindOfError { try verify(control, [4, 5, 6, 8]) } == .checksumMismatch)
        header.flags = []
        try verify([], [])
    }

    @Test func versionsAreNegotiated() {
        #expect(WireVersion.negotiate(with: 1...1) == 1)
        #expect(WireVersion.negotiate(with: 1...9) == WireVersion.newest)
        #expect(WireVersion.negotiate(with: 200...255) == nil)
        #expect(WireVersion.negotiate(with: 0...0) == nil)
    }
}

/// What kind of `WireError` the body ends with; nil for none.
func kindOfError(_ body: () throws -> Void) -> WireError.Kind? {
    do {
        try body()
        return nil
    } catch {
        return (error as? WireError)?.kind
    }
}
