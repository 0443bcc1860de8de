import Memory

/// Bytes that grow to the largest need and stay.
final class Scratch {
    private var storage: UnsafeMutableRawPointer?
    private var byteCount = 0

    deinit { storage?.deallocate() }

    /// At least `count` elements, contents undefined; the elements of an earlier call are gone.
    func elements<Element: BitwiseCopyable>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let needed = max(count, 1) * MemoryLayout<Element>.stride
        if let storage, needed <= byteCount { return storage.bindMemory(to: type, capacity: count) }
        storage?.deallocate()
        byteCount = max(needed, 2 * byteCount, 4096)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        storage = grown
        return grown.bindMemory(to: type, capacity: count)
    }
}
