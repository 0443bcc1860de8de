import Foundation
import Glibc
import Memory
import Synchronization
import Transport
import Vocabulary

/// Pieces over a bare socket, or over OpenSSL's own calls, each answered with a byte; two are on their way at a time.
final class BareBulk: BulkPath, Sendable {
    let name: String
    private let stream: BareStream
    private let piece: BufferSlice
    private let atOnce: Int

    /// - Parameters:
    ///   - atOnce: bytes handed over in one call.
    ///   - tls: nil for plain text.
    init(
        host: String, port: Int, piece: BufferSlice, atOnce: Int, tls: BareTLSContext? = nil, readsAhead: Bool = false
    ) throws {
        let way = tls == nil ? "bare" : readsAhead ? "bare OpenSSL that reads ahead" : "bare OpenSSL"
        name = "\(way), \(atOnce >> 10) KiB at once"
        self.piece = piece
        self.atOnce = atOnce
        stream = try BareServer.connect(
            host: host, port: port, .sink, byteCount: piece.byteCount, atOnce: atOnce, tls: tls,
            readsAhead: readsAhead)
    }

    /// The ways that are worth it: plain text is fastest with one or the other size on one machine or another, and
    /// OpenSSL with or without reading ahead.
    static func ways(host: String, port: Int, piece: BufferSlice, tls: BareTLSContext?) throws -> [BareBulk] {
        if let tls {
            return try [false, true].map {
                try BareBulk(host: host, port: port, piece: piece, atOnce: 1 << 20, tls: tls, readsAhead: $0)
            }
        }
        return try [256 << 10, 1 << 20].map { try BareBulk(host: host, port: port, piece: piece, atOnce: $0) }
    }

    func run(until isOver: @escaping @Sendable (_ pieceCount: Int) -> Bool) async throws -> Double {
        let (stream, piece, atOnce) = (stream, piece, atOnce)
        return try await BlockingWork.run {
            let begin = EventLoop.now
            var sent = 0
            var answer: [UInt8] = [0]
            func awaitAnswer() throws {
                guard answer.withUnsafeMutableBytes({ stream.readAll($0) }) else {
                    throw BareSocket.Failure("the bare bulk's answer")
                }
            }
            while !isOver(sent) {
                guard piece.withUnsafeBytes({ stream.writeAll($0, atOnce: atOnce) }) else {
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
