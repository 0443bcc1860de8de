import Foundation
import Glibc
import Memory
import Synchronization
import Transport
import Vocabulary

/// Pieces over a bare socket, each answered with a byte; two are on their way at a time.
final class BareBulk: BulkPath, Sendable {
    let name: String
    private let descriptor: Int32
    private let piece: BufferSlice
    private let atOnce: Int

    init(host: String, port: Int, piece: BufferSlice, atOnce: Int) throws {
        name = "bare, \(atOnce >> 10) KiB at once"
        self.piece = piece
        self.atOnce = atOnce
        descriptor = try BareServer.connect(
            host: host, port: port, .sink, byteCount: piece.byteCount, atOnce: atOnce)
    }

    deinit { close(descriptor) }

    func run(until isOver: @escaping @Sendable (_ pieceCount: Int) -> Bool) async throws -> Double {
        let (descriptor, piece, atOnce) = (descriptor, piece, atOnce)
        return try await BlockingWork.run {
            let begin = EventLoop.now
            var sent = 0
            var answer: [UInt8] = [0]
            func awaitAnswer() throws {
                guard answer.withUnsafeMutableBytes({ BareSocket.readAll(descriptor, $0) }) else {
                    throw BareSocket.Failure("the bare bulk's answer")
                }
            }
            while !isOver(sent) {
                guard piece.withUnsafeBytes({ BareSocket.writeAll(descriptor, $0, atOnce: atOnce) }) else {
                    throw BareSocket.Failure("the bare bulk")
                }
                sent += 1
                if sent > 1 { try awaitAnswer() }
            }
            if sent > 0 { try awaitAnswer() }
            return Double(sent * piece.byteCount) / (EventLoop.now - begin).seconds
        }
    }
}
