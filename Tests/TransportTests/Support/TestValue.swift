import Glibc
import Memory
import Transport
import Wire

/// A number, a text, and bulk.
struct TestValue: WireValue {
    var number: UInt64 = 0
    var text = ""
    var payload: BufferSlice?
    var stamp = FrameStamp.none

    init() {}

    init(_ number: UInt64, _ text: String = "", payload: BufferSlice? = nil) {
        self.number = number
        self.text = text
        self.payload = payload
    }

    var bulk: BufferSlice? { payload }

    func encodeControl() throws(WireError) -> [UInt8] {
        if text == "unencodable" { throw WireError(.unencodable, "TestValue.text: no such text") }
        return withUnsafeBytes(of: number.littleEndian) { Array($0) } + Array(text.utf8)
    }

    init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        guard control.count >= 8 else { throw WireError(.malformedMessage, "TestValue: \(control.count) bytes") }
        number = UInt64(littleEndian: control.loadUnaligned(as: UInt64.self))
        text = String(decoding: control.dropFirst(8), as: UTF8.self)
        payload = bulk
        self.stamp = stamp
    }
}

/// Another message, to be mistaken for a `TestValue`.
struct OtherValue: WireValue {
    init() {}
    func encodeControl() throws(WireError) -> [UInt8] { [] }
    init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {}
}

extension BufferSlice {
    /// Bytes that differ from place to place.
    static func pattern(_ byteCount: Int, seed: UInt64 = 1) throws -> BufferSlice {
        let buffer = try AlignedBuffer(byteCount: byteCount)
        var state = seed
        let words = buffer.base.assumingMemoryBound(to: UInt64.self)
        for index in 0..<(byteCount / 8) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            words[index] = state
        }
        for index in (byteCount / 8 * 8)..<byteCount {
            buffer.base.storeBytes(of: UInt8(truncatingIfNeeded: index), toByteOffset: index, as: UInt8.self)
        }
        return BufferSlice(buffer: buffer)
    }

    func isEqual(to other: BufferSlice) -> Bool {
        byteCount == other.byteCount && memcmp(base, other.base, byteCount) == 0
    }
}
