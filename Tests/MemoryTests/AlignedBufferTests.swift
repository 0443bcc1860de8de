import Memory
import Testing

@Suite struct AlignedBufferTests {
    @Test(arguments: [0, 1, 63, 64, 4096, 65_535, 65_536, 1_000_003, 3 << 20], [1, 64, 4096, 1 << 16])
    func bytesAreZeroAndAligned(byteCount: Int, alignment: Int) throws {
        let buffer = try AlignedBuffer(byteCount: byteCount, alignment: alignment)
        #expect(buffer.byteCount == byteCount)
        #expect(UInt(bitPattern: buffer.base) % UInt(max(alignment, 64)) == 0)
        let bytes = UnsafeMutableRawBufferPointer(start: buffer.base, count: byteCount)
        #expect(bytes.allSatisfy { $0 == 0 })
        bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
        #expect(bytes.allSatisfy { $0 == 0xA5 })
    }

    @Test func hugePagesAreAlignedToThem() throws {
        let buffer = try AlignedBuffer(byteCount: 5 << 20, hugePages: true)
        #expect(UInt(bitPattern: buffer.base) % (2 << 20) == 0)
        buffer.base.storeBytes(of: 7, toByteOffset: (5 << 20) - 8, as: Int.self)
    }

    @Test func placementOnEveryNode() throws {
        for node in NumaTopology.nodes {
            let buffer = try AlignedBuffer(byteCount: 1000, placement: .numaNode(node))
            buffer.base.storeBytes(of: 1, as: UInt8.self)
        }
    }

    @Test func partsArePlacedOnNodes() throws {
        for hugePages in [false, true] {
            let buffer = try AlignedBuffer(byteCount: 9_000_001, placement: .interleaved, hugePages: hugePages)
            let bytes = UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.byteCount)
            for range in [0..<0, 0..<5, 100..<4_500_000, 4_500_000..<9_000_001, 0..<9_000_001] {
                for node in NumaTopology.nodes { buffer.prefer(node: node, for: range) }
                #expect(bytes[range].allSatisfy { $0 == 0 })
            }
            bytes.initializeMemory(as: UInt8.self, repeating: 1)
            buffer.prefer(node: NumaTopology.nodes[0], for: 0..<9_000_001)
            #expect(bytes.allSatisfy { $0 == 1 })
        }
        // Too small for pages of its own.
        try AlignedBuffer(byteCount: 100).prefer(node: NumaTopology.nodes[0], for: 0..<100)
    }

    @Test func impossibleBuffersAreErrors() {
        #expect(throws: MemoryError.self) { try AlignedBuffer(byteCount: -1) }
        #expect(throws: MemoryError.self) { try AlignedBuffer(byteCount: .max) }
        #expect(throws: MemoryError.self) { try AlignedBuffer(byteCount: 1 << 60) }
        #expect(throws: MemoryError.self) { try AlignedBuffer(byteCount: 64, alignment: 48) }
        #expect(throws: MemoryError.self) { try AlignedBuffer(byteCount: 64, alignment: 0) }
        let error = #expect(throws: MemoryError.self) {
            try AlignedBuffer(byteCount: 64, placement: .numaNode(100_000))
        }
        #expect(error?.kind == .unknownNode)
        #expect(error?.message.contains("100000") == true)
    }

    @Test func slicesKeepTheirBufferAndKnowTheirPlace() throws {
        let slice = try BufferSlice(copying: Array(0..<100))
        #expect(slice.byteCount == 100)
        let part = BufferSlice(buffer: slice.buffer, offset: 10, byteCount: 5)
        #expect(part.withUnsafeBytes { Array($0) } == [10, 11, 12, 13, 14])
        part.withUnsafeMutableBytes { $0[0] = 99 }
        #expect(slice.base.load(fromByteOffset: 10, as: UInt8.self) == 99)
        #expect(BufferSlice(buffer: slice.buffer, offset: 100).byteCount == 0)
        #expect(part.base == slice.buffer.base + 10)
    }

    @Test func typedPointers() throws {
        let buffer = try AlignedBuffer(byteCount: 16)
        let floats = buffer.pointer(to: Float.self)
        floats[3] = 2.5
        #expect(buffer.base.load(fromByteOffset: 12, as: Float.self) == 2.5)
    }
}
