package import Memory
import Vocabulary
package import Wire

/// One connection that carries frames and nothing above them: no handshake, no peer, no actors. For measuring what a
/// frame costs.
///
/// `@unchecked Sendable`: all that varies is used on the loop's thread alone.
package final class FrameLink: LaneDelegate, @unchecked Sendable {
    /// Called on the loop. The control part is valid during the call.
    package typealias OnFrame = @Sendable (FrameLink, FrameHeader, UnsafeRawBufferPointer, BufferSlice?) -> Void

    private let connection: LaneConnection
    private let onFrame: OnFrame
    private let onEnded: @Sendable (String) -> Void

    private init(
        _ socket: Socket, stream: (any ByteStream)? = nil, loop: EventLoop, pool: BufferPool,
        onFrame: @escaping OnFrame, onEnded: @escaping @Sendable (String) -> Void
    ) {
        connection = LaneConnection(
            socket: socket, stream: stream, loop: loop, pool: pool, options: TransportOptions())
        connection.lane = .activations
        self.onFrame = onFrame
        self.onEnded = onEnded
    }

    /// Connects to a process of this host that listens for frames.
    ///
    /// - Parameter security: nil for plain text.
    package static func connect(
        port: Int, security: TransportSecurity? = nil, loop: EventLoop, pool: BufferPool, onFrame: @escaping OnFrame,
        onEnded: @escaping @Sendable (String) -> Void
    ) async throws -> FrameLink {
        let addresses = try SocketAddress.resolve(host: "127.0.0.1", port: port, isNumeric: true)
        return try await Task(executorPreference: loop) {
            let socket = try await Dialing(address: addresses[0], loop: loop).connect()
            let link = FrameLink(
                socket, stream: try security?.makeStream(socket, accepts: false), loop: loop, pool: pool,
                onFrame: onFrame, onEnded: onEnded)
            try link.connection.open(delegate: link)
            return link
        }.value
    }

    /// Uses a socket that is connected, and owns it. On the loop.
    ///
    /// - Parameters:
    ///   - security: nil for plain text.
    ///   - accepts: this end is the server of the TLS handshake.
    package static func adopt(
        _ descriptor: Int32, security: TransportSecurity? = nil, accepts: Bool = false, loop: EventLoop,
        pool: BufferPool, onFrame: @escaping OnFrame, onEnded: @escaping @Sendable (String) -> Void
    ) throws -> FrameLink {
        let socket = Socket(adopting: descriptor)
        let link = FrameLink(
            socket, stream: try security?.makeStream(socket, accepts: accepts), loop: loop, pool: pool,
            onFrame: onFrame, onEnded: onEnded)
        try link.connection.open(delegate: link)
        return link
    }

    /// A one-way frame that can be sent any number of times.
    package struct Prepared: Sendable {
        let frame: OutboundFrame
    }

    package func prepare(_ message: any WireValue, method: UInt16 = 1) throws(WireError) -> Prepared {
        Prepared(
            frame: try OutboundFrame(
                .oneWay, message, method: method, incarnation: Incarnation(1), version: WireVersion.newest,
                isChecksummed: connection.needsChecksums))
    }

    /// Queues the frame, however much waits already.
    package func send(_ prepared: Prepared) { connection.outbound.placeUrgently(prepared.frame) }

    /// Queues a one-way frame, however much waits already.
    package func send(_ message: any WireValue) throws(WireError) { send(try prepare(message)) }

    /// On the loop.
    package func close() { connection.close(TransportError(.shutDown, "the link is closed")) }

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws { try lane.requireChecksum(header) }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws {
        onFrame(self, frame.header, frame.control, frame.bulk)
    }

    func laneHeard(_ lane: LaneConnection) {}

    func lane(_ lane: LaneConnection, ended end: LaneEnd) { onEnded(end.reason) }
}
