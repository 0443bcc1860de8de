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
        try Self.checkCounts(certificates.count, revokedSerials.count) { $0.unencodable($1) }
        let list = try arena.take(certificates.count, of: ProtobufCBinaryData.self)
        for (index, certificate) in certificates.enumerated() {
            list[index] = try ByteStringCodec.encode(
                certificate, max: MessageLimits.certificateByteCountMax, Field("Enrolled.certificates[]", at: index),
                in: arena)
        }
        message.pointee.n_certificates = certificates.count
        message.pointee.certificates = list
        let serials = try arena.take(revokedSerials.count, of: UnsafeMutablePointer<CChar>?.self)
        for (index, serial) in revokedSerials.enumerated() {
            let field = Field("Enrolled.revokedSerials[]", at: index)
            guard Self.isSerial(serial) else {
                throw field.unencodable("\(String(reflecting: serial)) is no serial number")
            }
            serials[index] = try arena.string(serial, field)
        }
        message.pointee.n_revoked_serials = revokedSerials.count
        message.pointee.revoked_serials = serials
        return try arena.pack(message, as: "Enrolled")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "Enrolled")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "Enrolled", shardline__v1__enrolled__unpack).pointee
        try Self.checkCounts(message.n_certificates, message.n_revoked_serials) { $0.malformed($1) }
        self.init()
        for index in 0..<message.n_certificates {
            certificates.append(
                try ByteStringCodec.decode(
                    message.certificates[index], max: MessageLimits.certificateByteCountMax,
                    Field("Enrolled.certificates[]", at: index)))
        }
        for index in 0..<message.n_revoked_serials {
            let field = Field("Enrolled.revokedSerials[]", at: index)
            let serial = try FieldReader.string(message.revoked_serials[index], field)
            guard Self.isSerial(serial) else {
                throw field.malformed("\(String(reflecting: String(serial.prefix(64)))) is no serial number")
            }
            revokedSerials.append(serial)
        }
    }

    private static func checkCounts(
        _ certificateCount: Int, _ serialCount: Int, _ error: (Field, String) -> WireError
    ) throws(WireError) {
        guard certificateCount <= MessageLimits.certificateCountMax else {
            throw error(
                Field("Enrolled.certificates"),
                "\(certificateCount) elements; at most \(MessageLimits.certificateCountMax)")
        }
        guard serialCount <= MessageLimits.serialCountMax else {
            throw error(
                Field("Enrolled.revokedSerials"), "\(serialCount) elements; at most \(MessageLimits.serialCountMax)")
        }
    }

    private static func isSerial(_ text: String) -> Bool {
        let count = text.utf8.count
        guard count > 0, count <= MessageLimits.serialByteCountMax, count.isMultiple(of: 2) else { return false }
        return text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
    }
}
