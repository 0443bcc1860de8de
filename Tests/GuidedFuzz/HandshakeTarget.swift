import Glibc
import Identity
import Memory
import Vocabulary
import Wire

@testable import Transport

/// The first frames of a connection: what the end that accepts makes of hello and enrol, and the end that opened of
/// welcome and refuse. The first byte of an input says which end, who the other is known to be, and how bytes are cut.
struct HandshakeTarget: Sendable {
    static let shared = HandshakeTarget()

    private let loop: EventLoop
    private let pool = BufferPool()
    private let certified: CertifiedIdentity

    private init() {
        do {
            loop = try EventLoop(name: "fuzz")
            let now = UnixTime.now
            let key = try PrivateKey.generate()
            guard let name = NodeID("node-1") else { fatalError("node-1 is no name") }
            let chain = try CertificateAuthority.create(cluster: "fuzz", now: now).issue(
                request: try key.request(commonName: name.name), role: .node, name: name, lifetimeSeconds: 3600,
                now: now)
            certified = try chain.identity()
        } catch {
            fatalError("\(error)")
        }
    }

    func run(_ input: UnsafeRawBufferPointer) {
        guard let mode = input.first, input.count <= 1 << 16 else { return }
        var bytes = Array(input.dropFirst())
        FrameSealing.seal(&bytes)
        let authentication: Authentication =
            switch mode >> 1 & 3 {
            case 0: .none
            case 1: .certified(certified)
            case 2: .enrolling
            default: .refused("it has shown nothing")
            }
        let pieces = mode >> 3 == 0 ? [] : [Int(mode >> 3) * 5, 80]
        bytes.withUnsafeBytes { bytes in
            let isEncrypted = mode >> 1 & 3 != 0
            let stream = FuzzStream(
                bytes, pieces: pieces, authentication: authentication, protectsBytes: isEncrypted)
            let connection = LaneConnection(
                socket: Socket(adopting: -1), stream: stream, loop: loop, pool: pool, options: TransportOptions())
            if mode & 1 == 0 { accept(connection, stream) } else { open(connection, stream) }
        }
    }

    /// As the loop does it: again for each piece, and once more for the end.
    private func read(_ connection: LaneConnection, _ stream: FuzzStream) {
        while !stream.isOver, connection.isReading, !connection.isClosed { connection.read() }
        if connection.isReading, !connection.isClosed { connection.read() }
    }

    private func accept(_ connection: LaneConnection, _ stream: FuzzStream) {
        let seen = Seen()
        let greeter = Greeter(
            connection: connection,
            onGreeting: { _, greeting in
                // Nobody is greeted who has no business here, and none for what the certificate is not for.
                switch (greeting, stream.authentication) {
                case (.hello, .none), (.hello, .certified), (.enrol, .enrolling): break
                default: preconditionFailure("\(greeting) of \(stream.authentication)")
                }
                seen.greetings += 1
                throw Enough()
            }, onEnded: { _, end in seen.end(end) })
        connection.delegate = greeter
        read(connection, stream)
        precondition(seen.endCount == 1 && seen.greetings <= 1, "\(seen.endCount) ends, \(seen.greetings) greetings")
        connection.close(TransportError(.shutDown, "the input is over"))
    }

    private func open(_ connection: LaneConnection, _ stream: FuzzStream) {
        let seen = Seen()
        let opener = Opener(connection: connection, onEnded: { seen.end($0) })
        connection.delegate = opener
        read(connection, stream)
        precondition(seen.endCount <= 1)
        connection.close(TransportError(.shutDown, "the input is over"))
    }

    private struct Enough: Error {}

    /// `@unchecked Sendable`: used on one thread.
    private final class Seen: @unchecked Sendable {
        var greetings = 0
        private(set) var endCount = 0

        func end(_ end: LaneEnd) {
            endCount += 1
            precondition(!end.reason.isEmpty && end.reason.utf8.count < 2000, "an end says too little or too much")
        }
    }
}
