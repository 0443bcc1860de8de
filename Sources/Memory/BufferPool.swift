import Synchronization

/// Recycles buffers by size class: powers of two from 4 KiB. Buffers come back by themselves when their last reference
/// goes; a pool lives as long as any of its buffers. Thread-safe.
public final class BufferPool: Sendable {
    /// The most idle bytes that are kept; what comes back beyond them is freed.
    public let keptBytesMax: Int

    private struct Idle: Sendable {
        /// Indexed by the logarithm of the size.
        var regions: [[MemoryRegion]] = Array(repeating: [], count: Int.bitWidth)
        var byteCount = 0
    }
    private let idle = Mutex(Idle())

    private static let byteCountMin = 4096
    private static let byteCountMax = 1 << 40

    public init(keptBytesMax: Int = 256 << 20) {
        self.keptBytesMax = keptBytesMax
    }

    deinit {
        idle.withLock { idle in
            for region in idle.regions.joined() { region.free() }
        }
    }

    /// Bytes that wait to be taken again.
    public var idleByteCount: Int { idle.withLock { $0.byteCount } }

    /// A buffer of at least `byteCount` bytes, rounded up to its size class, with undefined contents.
    public func take(byteCount: Int) throws(MemoryError) -> AlignedBuffer {
        guard byteCount >= 0, byteCount <= Self.byteCountMax else {
            throw MemoryError(.invalid, "a pooled buffer of \(byteCount) bytes was asked for; at most 2^40 can be had")
        }
        let logarithm = Int.bitWidth - (max(byteCount, Self.byteCountMin) - 1).leadingZeroBitCount
        let recycled = idle.withLock { idle -> MemoryRegion? in
            guard let region = idle.regions[logarithm].popLast() else { return nil }
            idle.byteCount -= region.byteCount
            return region
        }
        if let recycled { return AlignedBuffer(region: recycled, pool: self) }
        let region = try MemoryRegion.allocate(
            byteCount: 1 << logarithm, alignment: 64, placement: .anywhere, hugePages: false)
        return AlignedBuffer(region: region, pool: self)
    }

    func giveBack(_ region: MemoryRegion) {
        let isKept = idle.withLock { idle in
            guard region.byteCount <= keptBytesMax - idle.byteCount else { return false }
            idle.regions[region.byteCount.trailingZeroBitCount].append(region)
            idle.byteCount += region.byteCount
            return true
        }
        if !isKept { region.free() }
    }
}
