import Glibc

@testable import Transport

/// A connection on which the bytes of an input come, in pieces of any size.
///
/// `@unchecked Sendable`: used on one thread.
final class FuzzStream: ByteStream, @unchecked Sendable {
    let protectsBytes: Bool
    let authentication: Authentication
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Sizes of the pieces in turn; none: all at once.
    private let pieces: [Int]
    private var pieceIndex = 0

    init(
        _ bytes: UnsafeRawBufferPointer, pieces: [Int], authentication: Authentication = .none,
        protectsBytes: Bool = false
    ) {
        self.bytes = bytes
        self.pieces = pieces
        self.authentication = authentication
        self.protectsBytes = protectsBytes
    }

    /// Everything was read.
    var isOver: Bool { position == bytes.count }
    var isReady: Bool { true }
    var mayHaveMore: Bool { false }
    var hasUnsentBytes: Bool { false }

    func read(into parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        var rest = bytes.count - position
        guard rest > 0 else { return .ended(isTruncated: false) }
        if !pieces.isEmpty {
            rest = min(rest, pieces[pieceIndex % pieces.count])
            pieceIndex += 1
        }
        var count = 0
        for part in parts where rest > 0 {
            let partCount = min(part.iov_len, rest)
            part.iov_base.copyMemory(from: bytes.baseAddress! + position, byteCount: partCount)
            position += partCount
            count += partCount
            rest -= partCount
        }
        precondition(count > 0, "asked for nothing")
        return .bytes(count)
    }

    func write(from parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        .bytes(parts.reduce(0) { $0 + $1.iov_len })
    }

    func flush() -> StreamProgress { .bytes(0) }
    func finishWriting() {}
    func shutDown() {}
}
