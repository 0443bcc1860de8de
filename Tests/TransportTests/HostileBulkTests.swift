import Memory
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Hostile bulk transfers", .timeLimit(.minutes(2)))
struct HostileBulkTests {
    private static func piece(_ transfer: UInt64, at offset: UInt64, _ byteCount: Int) -> [UInt8] {
        RawLane.frame(
            .piece, bulk: [UInt8](repeating: 7, count: byteCount), incarnation: 77, call: transfer, object: offset)
    }

    private static let failure = Result { try RemoteFailure(code: "x", message: "y").encodeControl() }

    @Test func whatEndsThePeer() async throws {
        let victim = try await TestProcess("victim")
        let port = try victim.listen()
        let failure = try Self.failure.get()
        var corrupt = Self.piece(1, at: 0, 50)
        corrupt[corrupt.count - 1] ^= 1
        // Transfer 1 of 100 bytes is granted.
        let cases: [(name: String, lane: Int, bytes: [UInt8])] = [
            ("neverGranted", 2, Self.piece(2, at: 0, 10)),
            ("gap", 2, Self.piece(1, at: 1, 10)),
            ("beyond", 2, Self.piece(1, at: 0, 101)),
            ("beyondLater", 2, Self.piece(1, at: 0, 60) + Self.piece(1, at: 60, 41)),
            ("twice", 2, Self.piece(1, at: 0, 10) + Self.piece(1, at: 0, 10)),
            ("corrupt", 2, corrupt),
            ("empty", 2, Self.piece(1, at: 0, 0)),
            ("pieceOnControl", 0, Self.piece(1, at: 0, 10)),
            ("pieceWithControlPart", 2, RawLane.frame(.piece, control: [1], bulk: [1], incarnation: 77, call: 1)),
            ("tooLarge", 2, Self.piece(1, at: 0, (1 << 20) + 1)),
            ("uncheckedPiece", 2, RawLane.frame(.piece, bulk: [1], incarnation: 77, call: 1) {
                $0.flags = []
                $0.bodyChecksum = 0
            }),
            ("grantOnBulk", 2, RawLane.frame(.grant, incarnation: 77, call: 1, object: 5)),
            ("grantOfNothing", 0, RawLane.frame(.grant, incarnation: 77, call: 1)),
            ("grantOfAll", 0, RawLane.frame(.grant, incarnation: 77, call: 1, object: .max)),
            ("grantWithAGap", 0, RawLane.frame(.grant, incarnation: 77, call: 2, object: 5)),
            ("landedEarly", 0, RawLane.frame(.landed, incarnation: 77, call: 1)),
            ("revokedEarly", 0, RawLane.frame(.revoke, control: failure, incarnation: 77, call: 1)),
            ("abandonedEarly", 0, RawLane.frame(.abandon, control: failure, incarnation: 77, call: 2)),
            ("badFailure", 0, RawLane.frame(.abandon, control: [0xFF], incarnation: 77, call: 1)),
            (
                "flood", 0,
                Array(
                    (1...5000).map { RawLane.frame(.grant, incarnation: 77, call: $0 as UInt64, object: 5) }.joined())
            ),
        ]
        for (index, hostile) in cases.enumerated() {
            let raw = try await RawPeer(hostile.name, port: port)
            let place = BufferSlice(buffer: try AlignedBuffer(byteCount: 100))
            let grant = try victim.system.grantBulk(from: raw.node, into: [place])
            try await raw.lanes[hostile.lane].write(hostile.bytes)
            for lane in raw.lanes { #expect(try await lane.isEnded(within: 10), "\(hostile.name)") }
            let failure = await error(BulkFailure.self) { try await grant.landed() }
            // A flood of grants may be noticed after ours was abandoned by nobody: lost, like all others.
            #expect(failure?.reason == .lost, "\(hostile.name): \(failure?.message ?? "landed")")
            try await eventually("\(hostile.name) is lost") { victim.lostReasons.count == index + 1 }
        }
        await victim.end()
    }

    @Test func whatComesTooLateIsPassedOver() async throws {
        let victim = try await TestProcess("victim")
        let raw = try await RawPeer("late", port: try victim.listen())
        let place = BufferSlice(buffer: try AlignedBuffer(byteCount: 100_000))
        let first = try victim.system.grantBulk(from: raw.node, into: [place])
        let granted = try #require(try await raw.control.readFrame())
        #expect(granted.header.kind == .grant && granted.header.call == 1 && granted.header.actor == 100_000)
        // Half of a piece is there when the grant is taken back.
        let piece = Self.piece(1, at: 0, 60_000)
        try await raw.lanes[2].write(Array(piece[..<30_000]))
        try await eventually("bytes come") { place.withUnsafeBytes { $0[20_000] == 7 } }
        first.cancel()
        let cancelled = await error(BulkFailure.self) { try await first.landed() }
        #expect(cancelled?.reason == .cancelled)
        let revoked = try #require(try await raw.control.readFrame())
        #expect(revoked.header.kind == .revoke && revoked.header.call == 1)
        try await raw.lanes[2].write(Array(piece[30_000...]) + Self.piece(1, at: 60_000, 40_000))
        try await raw.control.write(.abandon, control: try Self.failure.get(), incarnation: 77, call: 1)
        // The lane goes on behind it.
        let second = try victim.system.grantBulk(from: raw.node, into: [place])
        #expect(try await raw.control.readFrame()?.header.call == 2)
        place.withUnsafeMutableBytes { $0[50_000] = 1 }
        try await raw.lanes[2].write(Self.piece(2, at: 0, 40_000) + Self.piece(2, at: 40_000, 60_000))
        try await second.landed()
        #expect(place.withUnsafeBytes { $0.allSatisfy { $0 == 7 } })
        #expect(try await raw.control.readFrame()?.header.kind == .landed)
        #expect(victim.lostReasons.isEmpty)
        await victim.end()
    }
}
