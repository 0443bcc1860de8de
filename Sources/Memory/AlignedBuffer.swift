/// A fixed number of aligned, unmanaged bytes, freed or given back to their pool with the last reference.
///
/// `@unchecked Sendable`: it is a handle to memory. The address and the size never change; those who share a buffer
/// order their accesses to its bytes themselves, as a frame's sender and receiver do by handing it over.
public final class AlignedBuffer: @unchecked Sendable {
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int
    private let region: MemoryRegion
    private let pool: BufferPool?

    /// Zero-filled bytes.
    ///
    /// - Parameters:
    ///   - byteCount: 0 or more. An empty buffer still has an address.
    ///   - alignment: a power of two; at least 64 is given.
    ///   - placement: where the pages should come from when they are first touched.
    ///   - hugePages: ask for 2 MiB pages when the buffer is at least as large.
    public init(
        byteCount: Int, alignment: Int = 64, placement: Placement = .anywhere, hugePages: Bool = false
    ) throws(MemoryError) {
        region = try MemoryRegion.allocate(
            byteCount: byteCount, alignment: alignment, placement: placement, hugePages: hugePages)
        base = region.base
        self.byteCount = byteCount
        pool = nil
    }

    /// A buffer whose memory goes back to `pool`.
    init(region: MemoryRegion, pool: BufferPool) {
        self.region = region
        base = region.base
        byteCount = region.byteCount
        self.pool = pool
    }

    deinit {
        if let pool { pool.giveBack(region) } else { region.free() }
    }

    /// Asks for the pages of a part to come from a NUMA node; those that were touched before stay where they are. Pages
    /// lie on one node each: the part's ends go to the nearest one's.
    public func prefer(node: Int, for range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "a part outside its buffer")
        region.prefer(node: node, for: range)
    }

    /// The bytes as `Element`s, as many whole ones as fit.
    public func pointer<Element: BitwiseCopyable>(
        to type: Element.Type = Element.self
    ) -> UnsafeMutablePointer<Element> {
        base.bindMemory(to: type, capacity: byteCount / MemoryLayout<Element>.stride)
    }
}
