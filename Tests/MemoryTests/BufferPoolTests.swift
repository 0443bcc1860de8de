import Memory
import Testing

@Suite struct BufferPoolTests {
    @Test(arguments: [
        (0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (65_536, 65_536), (65_537, 131_072), (5 << 20, 8 << 20),
    ])
    func sizesAreRoundedToTheirClass(asked: Int, given: Int) throws {
        let pool = BufferPool()
        let buffer = try pool.take(byteCount: asked)
        #expect(buffer.byteCount == given)
        #expect(UInt(bitPattern: buffer.base) % 64 == 0)
    }

    @Test func buffersComeBackByThemselves() throws {
        let pool = BufferPool()
        var buffer: AlignedBuffer? = try pool.take(byteCount: 10_000)
        let base = buffer?.base
        #expect(pool.idleByteCount == 0)
        var slice: BufferSlice? = buffer.map { BufferSlice(buffer: $0, offset: 5) }
        buffer = nil
        #expect(pool.idleByteCount == 0, "the slice still holds it")
        #expect(slice != nil)
        slice = nil
        #expect(pool.idleByteCount == 16_384)
        #expect(try pool.take(byteCount: 16_000).base == base)
    }

    @Test func idleBytesAreBounded() throws {
        let pool = BufferPool(keptBytesMax: 20_000)
        var buffers = try (0..<8).map { _ in try pool.take(byteCount: 8192) }
        buffers.removeAll()
        #expect(pool.idleByteCount == 16_384)
    }

    @Test func poolOutlivesItsOwnersReference() throws {
        var pool: BufferPool? = BufferPool()
        let buffer = try pool?.take(byteCount: 100)
        pool = nil
        buffer?.base.storeBytes(of: 1, as: UInt8.self)
        #expect(buffer?.byteCount == 4096)
    }

    @Test func absurdSizesAreErrors() {
        #expect(throws: MemoryError.self) { try BufferPool().take(byteCount: -1) }
        #expect(throws: MemoryError.self) { try BufferPool().take(byteCount: .max) }
    }

    @Test func manyTasksAtOnce() async throws {
        let pool = BufferPool(keptBytesMax: 1 << 20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for round in 0..<500 {
                        let buffer = try pool.take(byteCount: 1 << (10 + (round + task) % 8))
                        buffer.base.storeBytes(of: task, as: Int.self)
                        await Task.yield()
                        #expect(buffer.base.load(as: Int.self) == task, "a buffer has one owner")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(pool.idleByteCount <= 1 << 20)
    }
}
