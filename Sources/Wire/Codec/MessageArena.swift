import CProtocols
import Vocabulary

/// Scoped memory for the C form of one message: usually one allocation, given back at the end of the scope.
struct MessageArena: ~Copyable {
    private let handle: OpaquePointer

    /// - Parameters:
    ///   - byteCount: a guess of what will be needed, allocated at once.
    ///   - byteCountMax: never more than this.
    private init(byteCount: Int, byteCountMax: Int) throws(WireError) {
        guard let handle = sl_arena_create(byteCount, byteCountMax) else {
            throw WireError(.outOfMemory, "no memory for a message of \(byteCount) bytes")
        }
        self.handle = handle
    }

    /// For building a message of about `estimatedByteCount` bytes in its C form.
    init(encoding estimatedByteCount: Int = 512) throws(WireError) {
        try self.init(byteCount: estimatedByteCount, byteCountMax: 1 << 40)
    }

    /// For unpacking a control part.
    init(decoding control: UnsafeRawBufferPointer) throws(WireError) {
        let byteCountMax = MessageLimits.unpackedByteCountMax(
            controlByteCount: min(control.count, FrameLimits.controlByteCountMax))
        try self.init(byteCount: min(512 + 16 * control.count, 65_536), byteCountMax: byteCountMax)
    }

    deinit { sl_arena_destroy(handle) }
}

// MARK: - Unpacking

extension MessageArena {
    typealias Unpack<Message> = (
        UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
    ) -> UnsafeMutablePointer<Message>?

    /// The C form of a control part. It lives as long as the arena: `defer { extendLifetime(arena) }`.
    func unpack<Message>(
        _ control: UnsafeRawBufferPointer, as name: StaticString, _ unpack: Unpack<Message>
    ) throws(WireError) -> UnsafePointer<Message> {
        guard control.count <= FrameLimits.controlByteCountMax else {
            throw WireError(
                .tooLarge,
                "\(name): a control part of \(control.count) bytes; at most \(FrameLimits.controlByteCountMax)")
        }
        let bytes = control.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let message = unpack(sl_arena_allocator(handle), control.count, bytes) else {
            throw WireError(
                .malformedMessage,
                "\(name): the control part of \(control.count) bytes is not this message, or unpacks to too much")
        }
        // Every message begins with protobuf-c's own head.
        let head = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
        guard sl_message_is_plain(head.pointee.descriptor, bytes, control.count) else {
            throw WireError(
                .malformedMessage, "\(name): a text with U+0000, or a message within it that comes in several parts")
        }
        return UnsafePointer(message)
    }
}

// MARK: - Packing

extension MessageArena {
    /// Memory for `count` values, undefined.
    func take<Value>(_ count: Int, of type: Value.Type = Value.self) throws(WireError) -> UnsafeMutablePointer<Value> {
        guard let bytes = sl_arena_take(handle, count * MemoryLayout<Value>.stride) else {
            throw WireError(.outOfMemory, "no memory for \(count) values of a message")
        }
        return bytes.bindMemory(to: type, capacity: count)
    }

    /// A message with its defaults.
    func make<Message>(
        _ initialize: (UnsafeMutablePointer<Message>?) -> Void
    ) throws(WireError) -> UnsafeMutablePointer<Message> {
        let message = try take(1, of: Message.self)
        initialize(message)
        return message
    }

    /// A name: at most `nameByteCountMax` bytes.
    func string(_ value: String, _ field: Field) throws(WireError) -> UnsafeMutablePointer<CChar> {
        let byteCount = value.utf8.count
        guard byteCount <= MessageLimits.nameByteCountMax else {
            throw field.unencodable("\(byteCount) bytes of text; at most \(MessageLimits.nameByteCountMax)")
        }
        guard !value.utf8.contains(0) else { throw field.unencodable("U+0000 in a text") }
        return try copy(value, byteCount: byteCount)
    }

    /// A reason for people. It is cut at a character where it is too long, and U+0000 becomes a blank: a message
    /// that tells what went wrong must not fail itself.
    func reason(_ value: String, byteCountMax: Int = MessageLimits.reasonByteCountMax)
        throws(WireError) -> UnsafeMutablePointer<CChar>
    {
        let text = value.cut(toByteCount: byteCountMax)
        let bytes = try copy(text, byteCount: text.utf8.count)
        for index in 0..<text.utf8.count where bytes[index] == 0 { bytes[index] = 0x20 }
        return bytes
    }

    private func copy(_ value: String, byteCount: Int) throws(WireError) -> UnsafeMutablePointer<CChar> {
        let bytes = try take(byteCount + 1, of: CChar.self)
        var index = 0
        for byte in value.utf8 {
            bytes[index] = CChar(bitPattern: byte)
            index += 1
        }
        bytes[index] = 0
        return bytes
    }

    /// Tokens as the wire's unsigned numbers.
    func tokens(_ values: [TokenID], _ field: Field) throws(WireError) -> UnsafeMutablePointer<UInt32>? {
        guard !values.isEmpty else { return nil }
        let numbers = try take(values.count, of: UInt32.self)
        for (index, token) in values.enumerated() {
            guard token >= 0 else { throw field.unencodable("token \(token) is negative") }
            numbers[index] = UInt32(token)
        }
        return numbers
    }

    /// Packs a message whose first member is its `ProtobufCMessage`, as that of every generated struct is.
    func pack<Message>(
        _ message: UnsafeMutablePointer<Message>, as name: StaticString
    ) throws(WireError) -> [UInt8] {
        let base = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
        let byteCount = protobuf_c_message_get_packed_size(base)
        guard byteCount <= FrameLimits.controlByteCountMax else {
            throw WireError(
                .tooLarge,
                "\(name): a control part of \(byteCount) bytes; at most \(FrameLimits.controlByteCountMax)")
        }
        return [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, count in
            count = byteCount == 0 ? 0 : protobuf_c_message_pack(base, bytes.baseAddress)
        }
    }
}

extension String {
    /// The longest run of whole characters from the beginning that has at most `byteCountMax` bytes.
    fileprivate func cut(toByteCount byteCountMax: Int) -> String {
        guard utf8.count > byteCountMax else { return self }
        // Rounds down to a Unicode scalar.
        var end = utf8.index(startIndex, offsetBy: byteCountMax)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
