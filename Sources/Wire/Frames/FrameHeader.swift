import Vocabulary

/// The fixed head of every frame: 80 bytes, little-endian, laid out in `Protocols/wire.md`.
public struct FrameHeader: Hashable, Sendable {
    public static let byteCount = 80
    /// "SHRD" as the first four bytes.
    package static let magic: UInt32 = 0x4452_4853

    public var version: UInt8
    public var kind: FrameKind
    public var flags: FrameFlags
    /// The method's number (`Protocols/methods.txt`); 0 for kinds without a method.
    public var method: UInt16
    /// Bytes of the control part, which follows the header.
    public var controlByteCount: Int
    /// Bytes of the bulk part as sent, which follows the control part.
    public var bulkByteCount: Int
    /// Bytes of the bulk part once decompressed; the same as `bulkByteCount` without compression.
    public var bulkUncompressedByteCount: Int
    /// Pairs a reply with its call; counts up from 1 on each connection and end.
    public var call: UInt64
    /// The object the frame is for; 0 for kinds without one.
    public var actor: UInt64
    public var stamp: FrameStamp
    /// CRC-32C of control and bulk part as sent; 0 without `FrameFlags.checksummed`.
    public var bodyChecksum: UInt32

    /// - Parameter version: nil for that of the handshake or the newest, as the kind asks for.
    public init(
        kind: FrameKind, flags: FrameFlags = [], method: UInt16 = 0, controlByteCount: Int = 0, bulkByteCount: Int = 0,
        bulkUncompressedByteCount: Int? = nil, call: UInt64 = 0, actor: UInt64 = 0, stamp: FrameStamp = .none,
        bodyChecksum: UInt32 = 0, version: UInt8? = nil
    ) {
        self.version = version ?? (kind.isHandshake ? WireVersion.handshake : WireVersion.newest)
        self.kind = kind
        self.flags = flags
        self.method = method
        self.controlByteCount = controlByteCount
        self.bulkByteCount = bulkByteCount
        self.bulkUncompressedByteCount = bulkUncompressedByteCount ?? bulkByteCount
        self.call = call
        self.actor = actor
        self.stamp = stamp
        self.bodyChecksum = bodyChecksum
    }

    /// Bytes of the whole frame.
    public var frameByteCount: Int { Self.byteCount + controlByteCount + bulkByteCount }
}

// MARK: - Bytes

extension FrameHeader {
    /// Reads and checks a header. `bytes` holds at least `byteCount` bytes; those after the header are not looked at.
    ///
    /// Checked in this order: magic, checksum, version, then the fields and their limits, so that the error tells a
    /// stranger from a damaged frame and that from a frame of a newer version.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(WireError) {
        guard bytes.count >= Self.byteCount else {
            throw WireError(.notAFrame, "a frame header has \(Self.byteCount) bytes, there are only \(bytes.count)")
        }
        let magic = bytes.little(UInt32.self, at: 0)
        guard magic == Self.magic else {
            throw WireError(
                .notAFrame,
                "the bytes do not begin with SHRD but with 0x\(String(magic.byteSwapped, radix: 16)): "
                    + "the other end is not a Shardline process of this protocol")
        }
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<76]))
        guard checksum == bytes.little(UInt32.self, at: 76) else {
            throw WireError(.checksumMismatch, "the checksum of a frame header does not fit its bytes")
        }
        let version = bytes[4]
        guard version == WireVersion.handshake || (WireVersion.oldest...WireVersion.newest).contains(version) else {
            throw WireError(
                .unsupportedVersion,
                "a frame of protocol version \(version); this build speaks "
                    + "\(WireVersion.oldest) to \(WireVersion.newest)")
        }
        guard let kind = FrameKind(rawValue: bytes[5]) else {
            throw WireError(.malformedHeader, "unknown frame kind \(bytes[5])")
        }
        let reserved = bytes.little(UInt16.self, at: 10)
        guard reserved == 0 else {
            throw WireError(.malformedHeader, "the reserved bytes of a \(kind) frame are \(reserved), not 0")
        }
        self.init(
            kind: kind, flags: FrameFlags(rawValue: bytes.little(UInt16.self, at: 6)),
            method: bytes.little(UInt16.self, at: 8), controlByteCount: Int(bytes.little(UInt32.self, at: 12)),
            bulkByteCount: Int(bytes.little(UInt32.self, at: 16)),
            bulkUncompressedByteCount: Int(bytes.little(UInt32.self, at: 20)),
            call: bytes.little(UInt64.self, at: 24), actor: bytes.little(UInt64.self, at: 32),
            stamp: FrameStamp(
                term: Term(bytes.little(UInt64.self, at: 40)),
                incarnation: Incarnation(bytes.little(UInt64.self, at: 48)),
                epoch: Epoch(bytes.little(UInt64.self, at: 56)), step: StepNumber(bytes.little(UInt64.self, at: 64))),
            bodyChecksum: bytes.little(UInt32.self, at: 72), version: version)
        try validate()
    }

    /// The lengths that a header states, unchecked: for reading ahead alone.
    package static func lengths(at header: UnsafeRawPointer) -> (controlByteCount: Int, bulkByteCount: Int) {
        let bytes = UnsafeRawBufferPointer(start: header, count: byteCount)
        return (Int(bytes.little(UInt32.self, at: 12)), Int(bytes.little(UInt32.self, at: 16)))
    }

    /// Checks what `init(parsing:)` checks of a received header: flags, limits, and that the fields fit the kind.
    /// A sender calls it before it queues a frame, so that a frame the other end would refuse never leaves.
    public func validate() throws(WireError) {
        guard flags.isSubset(of: .known) else {
            let bits = String(flags.rawValue, radix: 16)
            throw WireError(.malformedHeader, "a \(kind) frame has unknown flags 0x\(bits)")
        }
        guard !flags.contains(.bulkIsShuffled) || flags.contains(.bulkIsCompressed) else {
            throw WireError(.malformedHeader, "a \(kind) frame with shuffled bulk that is not compressed")
        }
        try validateLengths()
        if kind.namesMethod, method == 0 {
            throw WireError(.malformedHeader, "a \(kind) frame names method 0")
        }
        if kind.namesCall, call == 0 {
            throw WireError(.malformedHeader, "a \(kind) frame names call 0")
        }
        if !flags.contains(.checksummed), bodyChecksum != 0 {
            throw WireError(.malformedHeader, "a \(kind) frame without the checksum flag has a body checksum")
        }
    }

    private func validateLengths() throws(WireError) {
        let controlMax = FrameLimits.controlByteCountMax(of: kind)
        guard (0...controlMax).contains(controlByteCount) else {
            throw WireError(
                .tooLarge, "a \(kind) frame with a control part of \(controlByteCount) bytes; at most \(controlMax)")
        }
        let bulkMax = FrameLimits.bulkByteCountMax(of: kind)
        guard (0...bulkMax).contains(bulkByteCount) else {
            throw WireError(.tooLarge, "a \(kind) frame with a bulk part of \(bulkByteCount) bytes; at most \(bulkMax)")
        }
        guard (0...bulkMax).contains(bulkUncompressedByteCount) else {
            throw WireError(
                .tooLarge,
                "a \(kind) frame with a bulk part of \(bulkUncompressedByteCount) bytes, decompressed; "
                    + "at most \(bulkMax)")
        }
        if flags.contains(.bulkIsCompressed) {
            guard bulkByteCount > 0, bulkByteCount < bulkUncompressedByteCount else {
                throw WireError(
                    .malformedHeader,
                    "a \(kind) frame compresses \(bulkUncompressedByteCount) bytes of bulk to \(bulkByteCount)")
            }
        } else if bulkByteCount != bulkUncompressedByteCount {
            throw WireError(
                .malformedHeader,
                "a \(kind) frame without compression has \(bulkByteCount) bytes of bulk, "
                    + "but \(bulkUncompressedByteCount) decompressed")
        }
    }

    /// Writes the header with its checksum. `bytes` holds at least `byteCount` bytes. The lengths must be within the
    /// limits (`validate`).
    public func encode(into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count >= Self.byteCount, "a frame header needs \(Self.byteCount) bytes")
        bytes.storeLittle(Self.magic, at: 0)
        bytes[4] = version
        bytes[5] = kind.rawValue
        bytes.storeLittle(flags.rawValue, at: 6)
        bytes.storeLittle(method, at: 8)
        bytes.storeLittle(UInt16(0), at: 10)
        bytes.storeLittle(UInt32(controlByteCount), at: 12)
        bytes.storeLittle(UInt32(bulkByteCount), at: 16)
        bytes.storeLittle(UInt32(bulkUncompressedByteCount), at: 20)
        bytes.storeLittle(call, at: 24)
        bytes.storeLittle(actor, at: 32)
        bytes.storeLittle(stamp.term.rawValue, at: 40)
        bytes.storeLittle(stamp.incarnation.rawValue, at: 48)
        bytes.storeLittle(stamp.epoch.rawValue, at: 56)
        bytes.storeLittle(stamp.step.rawValue, at: 64)
        bytes.storeLittle(bodyChecksum, at: 72)
        bytes.storeLittle(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<76])), at: 76)
    }

    /// Checks the body against `bodyChecksum`, part by part as received; a frame without one passes.
    public func verifyBody(control: UnsafeRawBufferPointer, bulk: UnsafeRawBufferPointer) throws(WireError) {
        guard flags.contains(.checksummed) else { return }
        guard CRC32C.extend(CRC32C.checksum(control), with: bulk) == bodyChecksum else {
            throw WireError(
                .checksumMismatch,
                "the body of a \(kind) frame (method \(method), \(controlByteCount) + \(bulkByteCount) bytes) "
                    + "does not fit its checksum")
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func little<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate func storeLittle(_ value: some FixedWidthInteger, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value).self)
    }
}
