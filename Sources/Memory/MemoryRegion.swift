import CPlatform
import Glibc

/// Memory as it came from the system: who frees it must know how it was had.
///
/// `@unchecked Sendable`: an address with a length; whoever holds the region owns the bytes alone.
struct MemoryRegion: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    /// Bytes of the mapping that begins at `base`; 0 when the memory came from `posix_memalign`.
    private let mappedByteCount: Int

    /// From here on pages of its own pay for a buffer: no zeroing by hand, given back at once.
    private static let mappingByteCountMin = 64 << 10
    static let hugePageByteCount = 2 << 20

    /// Zero-filled memory.
    static func allocate(
        byteCount: Int, alignment: Int, placement: Placement, hugePages: Bool
    ) throws(MemoryError) -> MemoryRegion {
        guard byteCount >= 0, byteCount <= Int.max >> 2 else {
            throw MemoryError(.invalid, "a buffer of \(byteCount) bytes was asked for; sizes are 0 to \(Int.max >> 2)")
        }
        guard alignment > 0, alignment <= 1 << 30, alignment & (alignment - 1) == 0 else {
            throw MemoryError(.invalid, "alignment \(alignment) is not a power of two up to 2^30")
        }
        if byteCount < mappingByteCountMin, placement == .anywhere, !hugePages {
            return try allocateSmall(byteCount: byteCount, alignment: max(alignment, 64))
        }
        let isHuge = hugePages && byteCount >= hugePageByteCount
        let region = try map(byteCount: byteCount, alignment: isHuge ? max(alignment, hugePageByteCount) : alignment)
        // A refusal (a container may forbid it) costs speed, not correctness.
        switch placement {
        case .anywhere: break
        case .interleaved: _ = sl_numa_interleave(region.base, region.mappedByteCount)
        case .numaNode(let node):
            guard NumaTopology.hasNode(node) else {
                region.free()
                throw MemoryError(
                    .unknownNode, "there is no NUMA node \(node) for this process; it has \(NumaTopology.nodes)")
            }
            _ = sl_numa_prefer_node(region.base, region.mappedByteCount, Int32(node))
        }
        if isHuge {
            _ = madvise(region.base, region.mappedByteCount, MADV_HUGEPAGE)
        }
        return region
    }

    /// Asks for the pages of a part to come from a NUMA node; those that were touched before stay. The part's ends go
    /// to the nearest huge page where the region has them, for a page lies on one node.
    func prefer(node: Int, for range: Range<Int>) {
        guard mappedByteCount > 0 else { return }
        let granularity = mappedByteCount >= Self.hugePageByteCount ? Self.hugePageByteCount : Self.pageByteCount
        let end = Int(bitPattern: base) + mappedByteCount
        func nearest(_ offset: Int) -> Int {
            let address = Int(bitPattern: base) + offset
            return min(max((address + granularity / 2) / granularity * granularity, Int(bitPattern: base)), end)
        }
        let part = nearest(range.lowerBound)..<max(nearest(range.lowerBound), nearest(range.upperBound))
        guard !part.isEmpty, let start = UnsafeMutableRawPointer(bitPattern: part.lowerBound) else { return }
        _ = sl_numa_prefer_node(start, part.count, Int32(node))
    }

    func free() {
        if mappedByteCount > 0 {
            munmap(base, mappedByteCount)
        } else {
            Glibc.free(base)
        }
    }

    private static func allocateSmall(byteCount: Int, alignment: Int) throws(MemoryError) -> MemoryRegion {
        var base: UnsafeMutableRawPointer?
        let size = max(byteCount, 64)
        guard posix_memalign(&base, alignment, size) == 0, let base else { throw exhausted(byteCount) }
        base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        return MemoryRegion(base: base, byteCount: byteCount, mappedByteCount: 0)
    }

    private static let pageByteCount = Int(sysconf(Int32(_SC_PAGESIZE)))

    private static func map(byteCount: Int, alignment: Int) throws(MemoryError) -> MemoryRegion {
        let size = (max(byteCount, 1) + pageByteCount - 1) / pageByteCount * pageByteCount
        // The kernel aligns to pages only: map more and trim both ends.
        let slack = alignment > pageByteCount ? alignment : 0
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let start = mmap(nil, size + slack, PROT_READ | PROT_WRITE, flags, -1, 0), Int(bitPattern: start) != -1
        else { throw exhausted(byteCount) }
        guard slack > 0 else { return MemoryRegion(base: start, byteCount: byteCount, mappedByteCount: size) }
        let before = -Int(bitPattern: start) & (alignment - 1)
        let base = start + before
        if before > 0 { munmap(start, before) }
        if slack > before { munmap(base + size, slack - before) }
        return MemoryRegion(base: base, byteCount: byteCount, mappedByteCount: size)
    }

    private static func exhausted(_ byteCount: Int) -> MemoryError {
        MemoryError(
            .exhausted, "the system has no \(byteCount) bytes to give (\(NumaTopology.availableMemoryBytes) available)")
    }
}
