import CProtocols
public import Memory

/// An error of the other end; also the body of `refuse` and `goodbye` frames.
public struct RemoteFailure: Error, WireValue, Hashable, CustomStringConvertible {
    /// For programs: one of `RemoteFailure.Code` or another word of at most 64 bytes.
    public var code: String
    /// For people. Longer than `MessageLimits.reasonByteCountMax` it is cut when it is sent.
    public var message: String

    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    public init() { self.init(code: Code.internalError, message: "") }

    public var description: String { message.isEmpty ? code : "\(message) (\(code))" }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 256 + code.utf8.count + message.utf8.count)
        let failure = try arena.make(shardline__v1__remote_failure__init)
        failure.pointee.code = try arena.reason(code, byteCountMax: MessageLimits.codeByteCountMax)
        failure.pointee.message = try arena.reason(message)
        return try arena.pack(failure, as: "RemoteFailure")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "RemoteFailure")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let failure = try arena.unpack(
            control, as: "RemoteFailure", shardline__v1__remote_failure__unpack
        ).pointee
        self.init(
            code: try FieldReader.string(
                failure.code, Field("RemoteFailure.code"), byteCountMax: MessageLimits.codeByteCountMax),
            message: try FieldReader.reason(failure.message, Field("RemoteFailure.message")))
    }

    /// The codes of the protocol (`Protocols/wire.md`). Programs may add words of their own.
    public enum Code {
        // Of refuse:
        /// No version that both ends speak.
        public static let unsupportedVersion = "unsupportedVersion"
        /// The pair has its lanes already, or this end's own attempt goes before.
        public static let duplicate = "duplicate"
        /// Another process answers here than the one that was asked for.
        public static let wrongPeer = "wrongPeer"
        /// This role may not do this.
        public static let forbidden = "forbidden"

        // Of failure:
        public static let unknownMethod = "unknownMethod"
        public static let unknownObject = "unknownObject"
        /// The method is not called on this lane, or not in this way.
        public static let wrongLane = "wrongLane"
        /// A term, an incarnation or an epoch that is over.
        public static let stale = "stale"
        /// A step that does not follow the last one.
        public static let outOfOrder = "outOfOrder"
        public static let cancelled = "cancelled"
        /// What was asked for cannot be done; the message says why.
        public static let refused = "refused"
        public static let internalError = "internal"

        // Of goodbye:
        public static let shuttingDown = "shuttingDown"
        /// No frame came for too long.
        public static let silent = "silent"

        // Of several:
        /// Bytes that are no frame or no message.
        public static let malformed = "malformed"
        /// A frame that may not come now.
        public static let unexpectedFrame = "unexpectedFrame"
        public static let overloaded = "overloaded"
    }
}
