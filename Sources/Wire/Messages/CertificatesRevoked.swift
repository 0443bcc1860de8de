import CProtocols
public import Memory

/// The argument of `Node.certificatesRevoked`: all certificates that are revoked and have not ended.
public struct CertificatesRevoked: WireValue, Hashable {
    /// Lowercase hexadecimal, two digits a byte.
    public var serials: [String]
    public var stamp: FrameStamp

    public init(serials: [String], stamp: FrameStamp = .none) {
        self.serials = serials
        self.stamp = stamp
    }

    public init() { self.init(serials: []) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 256 + 64 * serials.count)
        let message = try arena.make(shardline__v1__certificates_revoked__init)
        message.pointee.n_serials = serials.count
        message.pointee.serials = try SerialsCodec.encode(serials, "CertificatesRevoked.serials[]", in: arena)
        return try arena.pack(message, as: "CertificatesRevoked")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "CertificatesRevoked")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "CertificatesRevoked", shardline__v1__certificates_revoked__unpack
        ).pointee
        self.init(
            serials: try SerialsCodec.decode(message.serials, message.n_serials, "CertificatesRevoked.serials[]"),
            stamp: stamp)
    }
}
