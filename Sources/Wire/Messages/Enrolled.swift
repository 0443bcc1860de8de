import CProtocols
public import Memory

/// The answer to `Enrol` that grants it.
public struct Enrolled: WireValue, Hashable {
    /// In DER: the new certificate first, the authority's last.
    public var certificates: [[UInt8]]
    /// Certificates that are not to be trusted any more: serial numbers in lowercase hexadecimal, two digits a byte.
    public var revokedSerials: [String]

    public init(certificates: [[UInt8]], revokedSerials: [String] = []) {
        self.certificates = certificates
        self.revokedSerials = revokedSerials
    }

    public init() { self.init(certificates: []) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 1024 + certificates.reduce(0) { $0 + $1.count + 64 })
        let message = try arena.make(shardline__v1__enrolled__init)
        guard certificates.count <= MessageLimits.certificateCountMax else {
            throw Field("Enrolled.certificates").unencodable(
                "\(certificates.count) elements; at most \(MessageLimits.certificateCountMax)")
        }
        let list = try arena.take(certificates.count, of: ProtobufCBinaryData.self)
        for (index, certificate) in certificates.enumerated() {
            list[index] = try ByteStringCodec.encode(
                certificate, max: MessageLimits.certificateByteCountMax, Field("Enrolled.certificates[]", at: index),
                in: arena)
        }
        message.pointee.n_certificates = certificates.count
        message.pointee.certificates = list
        message.pointee.n_revoked_serials = revokedSerials.count
        message.pointee.revoked_serials = try SerialsCodec.encode(
            revokedSerials, "Enrolled.revokedSerials[]", in: arena)
        return try arena.pack(message, as: "Enrolled")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "Enrolled")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "Enrolled", shardline__v1__enrolled__unpack).pointee
        let count = try FieldReader.listCount(
            message.n_certificates, max: MessageLimits.certificateCountMax, Field("Enrolled.certificates"))
        self.init()
        for index in 0..<count {
            certificates.append(
                try ByteStringCodec.decode(
                    message.certificates[index], max: MessageLimits.certificateByteCountMax,
                    Field("Enrolled.certificates[]", at: index)))
        }
        revokedSerials = try SerialsCodec.decode(
            message.revoked_serials, message.n_revoked_serials, "Enrolled.revokedSerials[]")
    }
}
