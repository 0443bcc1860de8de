import CProtocols
public import Memory

/// The argument of `Coordinator.renewCertificate`; the result is `Enrolled`.
public struct RenewCertificate: WireValue, Hashable {
    /// PKCS#10 in DER, signed with the key that the new certificate is to be for.
    public var certificateRequest: [UInt8]
    public var stamp: FrameStamp

    public init(certificateRequest: [UInt8], stamp: FrameStamp = .none) {
        self.certificateRequest = certificateRequest
        self.stamp = stamp
    }

    public init() { self.init(certificateRequest: []) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 256 + certificateRequest.count)
        let message = try arena.make(shardline__v1__renew_certificate__init)
        message.pointee.certificate_request = try ByteStringCodec.encode(
            certificateRequest, max: MessageLimits.requestByteCountMax,
            Field("RenewCertificate.certificateRequest"), in: arena)
        return try arena.pack(message, as: "RenewCertificate")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "RenewCertificate")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "RenewCertificate", shardline__v1__renew_certificate__unpack
        ).pointee
        self.init(
            certificateRequest: try ByteStringCodec.decode(
                message.certificate_request, max: MessageLimits.requestByteCountMax,
                Field("RenewCertificate.certificateRequest")), stamp: stamp)
    }
}
