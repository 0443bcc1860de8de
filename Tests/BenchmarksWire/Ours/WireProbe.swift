import Memory
import Wire

/// A message of 16 bytes, with bulk.
struct WireProbe: WireValue {
    var number: UInt64 = 0
    var other: UInt64 = 0
    var bulk: BufferSlice?

    static let controlByteCount = 16

    init() {}

    init(_ number: UInt64, other: UInt64 = 0, bulk: BufferSlice? = nil) {
        self.number = number
        self.other = other
        self.bulk = bulk
    }

    func encodeControl() throws(WireError) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.controlByteCount) { bytes, count in
            let raw = UnsafeMutableRawBufferPointer(bytes)
            raw.storeBytes(of: number.littleEndian, toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: other.littleEndian, toByteOffset: 8, as: UInt64.self)
            count = Self.controlByteCount
        }
    }

    init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        guard control.count == Self.controlByteCount else {
            throw WireError(.malformedMessage, "WireProbe: \(control.count) bytes, not \(Self.controlByteCount)")
        }
        number = UInt64(littleEndian: control.loadUnaligned(as: UInt64.self))
        other = UInt64(littleEndian: control.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        self.bulk = bulk
    }
}
