import Vocabulary
import Wire

/// Waits for the hello on an accepted connection.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class Greeter: LaneDelegate, @unchecked Sendable {
    let connection: LaneConnection
    private var timer: LoopTimer?
    private let onHello: @Sendable (Greeter, Hello) throws -> Void
    private let onEnded: @Sendable (Greeter, LaneEnd) -> Void

    init(
        connection: LaneConnection, onHello: @escaping @Sendable (Greeter, Hello) throws -> Void,
        onEnded: @escaping @Sendable (Greeter, LaneEnd) -> Void
    ) {
        self.connection = connection
        self.onHello = onHello
        self.onEnded = onEnded
    }

    func open(loop: EventLoop, timeout: Instant.Span) throws(TransportError) {
        try connection.open(delegate: self)
        timer = loop.schedule(after: timeout) { [weak self] in
            self?.connection.end(LaneEnd(kind: .violation, reason: "no complete hello in time"))
        }
    }

    func close(_ error: TransportError) {
        timer?.cancel()
        connection.close(error)
    }

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws {
        guard header.kind == .hello else {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame in place of the hello")
        }
        try lane.requireChecksum(header)
    }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws {
        timer?.cancel()
        let hello = try Hello(control: frame.control, stamp: frame.header.stamp, bulk: frame.bulk)
        let incarnation = frame.header.stamp.incarnation
        guard incarnation == hello.incarnation || incarnation.rawValue == 0 else {
            throw LaneEnd(
                kind: .violation, reason: "a hello of incarnation \(hello.incarnation) in a frame of \(incarnation)")
        }
        try onHello(self, hello)
    }

    func laneHeard(_ lane: LaneConnection) {}

    func lane(_ lane: LaneConnection, ended end: LaneEnd) {
        timer?.cancel()
        onEnded(self, end)
    }
}
