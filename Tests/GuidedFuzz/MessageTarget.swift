import Memory
import Synchronization
import Wire

/// Every decoder of messages. The first byte of an input says which; what is accepted comes back from its own encoding
/// as it was.
struct MessageTarget: Sendable {
    static let shared = MessageTarget()

    private let bulk: BufferSlice? = try? BufferSlice(copying: [UInt8](repeating: 1, count: 96))

    /// The one decoder that is fed, whatever the first byte says; below 0 for all of them. libFuzzer's callback takes
    /// no argument of ours.
    static let only = Atomic<Int>(-1)

    /// Of a message's inputs, the first byte.
    static func selector(of name: String) -> UInt8? {
        MessageCatalog.all.firstIndex { "\($0)" == name }.map(UInt8.init)
    }

    func run(_ input: UnsafeRawBufferPointer) {
        guard let first = input.first else { return }
        let only = Self.only.load(ordering: .relaxed)
        let type = MessageCatalog.all[only >= 0 ? only : Int(first & 0x7F) % MessageCatalog.all.count]
        // Memory of its own: the sanitizer sees a byte read beyond the end.
        let control = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count - 1, alignment: 1)
        defer { control.deallocate() }
        control.copyMemory(from: UnsafeRawBufferPointer(rebasing: input.dropFirst()))
        do throws(WireError) {
            // The upper bit gives it bulk, which most messages refuse.
            let value = try type.init(
                control: UnsafeRawBufferPointer(control), stamp: .none, bulk: first & 0x80 == 0 ? nil : bulk)
            let again = try value.encodeControl()
            let back = try Self.decode(type, again, value).encodeControl()
            precondition(back == again, "\(type) changes when it is sent on")
        } catch {
            precondition(error.message.count > 10 && error.message.utf8.count < 1000, "an error says too little")
        }
    }

    private static func decode(
        _ type: any WireValue.Type, _ control: [UInt8], _ value: any WireValue
    ) throws(WireError) -> any WireValue {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: control.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: control)
        return try type.init(control: UnsafeRawBufferPointer(copy), stamp: value.stamp, bulk: value.bulk)
    }
}
