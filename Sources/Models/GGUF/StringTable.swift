/// Many byte strings in one allocation: a vocabulary of 100,000 tokens opens in milliseconds.
public struct StringTable: Sendable, Hashable {
    private var bytes: [UInt8] = []
    /// One more than there are strings: string i lies at `ends[i] ..< ends[i + 1]`.
    private var ends: [Int] = [0]

    public init() {}

    public var count: Int { ends.count - 1 }

    /// Of all strings together.
    public var byteCount: Int { bytes.count }

    public mutating func append(_ string: some Collection<UInt8>) {
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
    }

    mutating func reserve(count: Int, byteCount: Int) {
        ends.reserveCapacity(count + 1)
        bytes.reserveCapacity(byteCount)
    }

    /// String `index` as text; ill-formed UTF-8 becomes U+FFFD.
    public subscript(index: Int) -> String { String(decoding: utf8(at: index), as: UTF8.self) }

    /// The bytes of string `index`.
    public func utf8(at index: Int) -> ArraySlice<UInt8> { bytes[ends[index]..<ends[index + 1]] }

    /// The bytes of string `index` without touching a reference count.
    func withUTF8<R>(at index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[ends[index]..<ends[index + 1]])) }
    }
}
