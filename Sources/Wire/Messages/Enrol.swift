import CProtocols
public import Memory
public import Vocabulary

/// Asks the coordinator for a first certificate, on a connection of its own. The secret is never printed.
public struct Enrol: WireValue, Hashable, CustomStringConvertible {
    /// Which join token, and what proves that one has it.
    public var tokenID: String
    public var secret: String
    /// PKCS#10 in DER, signed with the key that the certificate is to be for.
    public var certificateRequest: [UInt8]
    /// "coordinator", "node" or "operator".
    public var role: String
    public var node: NodeID

    public init(tokenID: String, secret: String, certificateRequest: [UInt8], role: String, node: NodeID) {
        self.tokenID = tokenID
        self.secret = secret
        self.certificateRequest = certificateRequest
        self.role = role
        self.node = node
    }

    public init() { self.init(tokenID: "", secret: "", certificateRequest: [], role: "node", node: .coordinator) }

    public var description: String { "enrolment of \(role) \(node) with the token \(tokenID)" }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 1024 + certificateRequest.count)
        let message = try arena.make(shardline__v1__enrol__init)
        message.pointee.token_id = try arena.string(tokenID, Field("Enrol.tokenID"))
        message.pointee.secret = try arena.string(secret, Field("Enrol.secret"))
        message.pointee.certificate_request = try ByteStringCodec.encode(
            certificateRequest, max: MessageLimits.requestByteCountMax, Field("Enrol.certificateRequest"), in: arena)
        message.pointee.role = try RoleCodec.encode(role, Field("Enrol.role"))
        message.pointee.node = try arena.string(node.name, Field("Enrol.node"))
        return try arena.pack(message, as: "Enrol")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "Enrol")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "Enrol", shardline__v1__enrol__unpack).pointee
        self.init(
            tokenID: try FieldReader.string(message.token_id, Field("Enrol.tokenID")),
            secret: try FieldReader.string(message.secret, Field("Enrol.secret")),
            certificateRequest: try ByteStringCodec.decode(
                message.certificate_request, max: MessageLimits.requestByteCountMax,
                Field("Enrol.certificateRequest")),
            role: try RoleCodec.decode(message.role, Field("Enrol.role")),
            node: try FieldReader.node(message.node, Field("Enrol.node")))
    }
}
