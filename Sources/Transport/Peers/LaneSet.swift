import Vocabulary
import Wire

/// The lanes that another process is opening: the control lane is welcomed, the others are awaited.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class LaneSet: LaneDelegate, @unchecked Sendable {
    let identity: PeerIdentity
    let hello: Hello
    let version: UInt8
    private(set) var lanes: [Lane: LaneConnection] = [:]
    private let timer: LoopTimer
    private let onEnded: @Sendable (LaneSet) -> Void

    init(
        identity: PeerIdentity, hello: Hello, version: UInt8, control: LaneConnection, timer: LoopTimer,
        onEnded: @escaping @Sendable (LaneSet) -> Void
    ) {
        self.identity = identity
        self.hello = hello
        self.version = version
        self.timer = timer
        self.onEnded = onEnded
        add(control, as: .control)
    }

    /// Whether a further lane's hello belongs to this set.
    func awaits(_ hello: Hello, version: UInt8) -> Bool {
        hello.node == identity.node && hello.incarnation == identity.incarnation && hello.role == self.hello.role
            && hello.link == self.hello.link && version == self.version && lanes[hello.lane] == nil
    }

    /// What follows the hello is left in the socket until the set is complete.
    func add(_ connection: LaneConnection, as lane: Lane) {
        connection.lane = lane
        connection.delegate = self
        connection.pauseReading()
        lanes[lane] = connection
    }

    /// All lanes by their raw values, once they are there.
    func complete() -> [LaneConnection]? {
        let found = Lane.allCases.compactMap { lanes[$0] }
        guard found.count == Lane.allCases.count else { return nil }
        timer.cancel()
        lanes = [:]
        return found
    }

    func close(_ error: TransportError) {
        timer.cancel()
        let lanes = lanes
        self.lanes = [:]
        for lane in Lane.allCases { lanes[lane]?.close(error) }
    }

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws {
        throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame before all lanes are up")
    }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) {}
    func laneHeard(_ lane: LaneConnection) {}
    func lane(_ lane: LaneConnection, ended end: LaneEnd) { onEnded(self) }
}
