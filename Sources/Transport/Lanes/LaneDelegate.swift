import Wire

/// Who a lane belongs to: a handshake, then a peer. Called on the loop.
protocol LaneDelegate: AnyObject, Sendable {
    /// Sees each header before anything is allocated for the frame's body; throws when the frame may not come.
    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws
    /// Where the bytes of an admitted `piece` go; nil for nowhere.
    func lane(_ lane: LaneConnection, placeFor piece: FrameHeader) throws -> InboundTransfer?
    /// The frame's control part is valid during the call.
    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws
    /// Bytes came, be they whole frames or not.
    func laneHeard(_ lane: LaneConnection)
    /// The connection ended, or what came on it was no protocol. The lane is closed after this.
    func lane(_ lane: LaneConnection, ended end: LaneEnd)
}

extension LaneDelegate {
    func lane(_ lane: LaneConnection, placeFor piece: FrameHeader) throws -> InboundTransfer? {
        throw LaneEnd(kind: .violation, reason: "a piece where no bulk transfers are")
    }
}

/// Why a lane ended.
struct LaneEnd: Error, Sendable {
    enum Kind: Sendable {
        /// By the other end, or by the network.
        case connection
        /// No encrypted connection came about.
        case encryption
        /// The other end has not shown a certificate that is good enough.
        case forbidden
        /// A frame of a protocol version that we do not speak.
        case version
        /// Anything else that may not come.
        case violation
    }
    let kind: Kind
    let reason: String
}
