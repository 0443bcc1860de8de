import Memory
import Wire

@testable import Transport

/// Frames in whatever pieces they come: the same frames, or the same refusal, as when they come at once.
///
/// The first byte of an input says how it is cut, and whether checksums are made to fit: nobody finds those by trying.
struct FrameTarget: Sendable {
    static let shared = FrameTarget()

    private let pool = BufferPool()
    private static let sizes = [1, 2, 3, 7, 79, 80, 81, 160, 4096, 16384]

    /// What a reader hands on.
    private enum Event: Equatable {
        /// With checksums of its parts, and the length of its bulk.
        case frame(FrameHeader, control: UInt32, bulk: UInt32, bulkByteCount: Int)
        case refused(String)
    }

    func run(_ input: UnsafeRawBufferPointer) {
        guard let mode = input.first, input.count <= 1 << 17 else { return }
        var bytes = Array(input.dropFirst())
        if mode & 1 == 0 { FrameSealing.seal(&bytes) }
        // Single bytes of long inputs would take all the time.
        let size = max(Self.sizes[Int(mode >> 1) % Self.sizes.count], bytes.count / 256)
        let whole = bytes.withUnsafeBytes { events($0, []) }
        let cut = bytes.withUnsafeBytes { events($0, [size, 80, Int(mode) + 1]) }
        precondition(whole == cut, "frames depend on how they come")
    }

    private func events(_ bytes: UnsafeRawBufferPointer, _ pieces: [Int]) -> [Event] {
        let reader = FrameReader(pool: pool)
        let stream = FuzzStream(bytes, pieces: pieces)
        var events: [Event] = []
        do {
            while true {
                while let frame = try reader.next(admit: Self.admit, place: place) {
                    events.append(Self.event(of: frame))
                }
                guard case .bytes = reader.read(from: stream).progress else { break }
            }
        } catch let error as WireError {
            events.append(.refused(error.message))
        } catch {
            events.append(.refused("\(error)"))
        }
        return events
    }

    private struct Unwanted: Error {}

    /// A quarter of a gigabyte an input would take all the time.
    private static func admit(_ header: FrameHeader) throws {
        guard header.controlByteCount <= 1 << 17, header.bulkUncompressedByteCount <= 1 << 17 else { throw Unwanted() }
    }

    /// Pieces of every other transfer have a place, of several parts.
    private func place(_ header: FrameHeader) throws -> InboundTransfer? {
        guard header.call % 2 == 0, header.bulkByteCount > 0 else { return nil }
        let first = header.bulkByteCount / 3
        let slices = try [first, header.bulkByteCount - first].filter { $0 > 0 }.map {
            try BufferSlice(copying: [UInt8](repeating: 0, count: $0))
        }
        return InboundTransfer(
            number: header.call, places: SliceCursor(slices), completion: BulkCompletion(whenDone: nil))
    }

    private static func event(of frame: FrameReader.Frame) -> Event {
        let bulk = frame.bulk.map { slice in slice.withUnsafeBytes { CRC32C.checksum($0) } } ?? 0
        return .frame(
            frame.header, control: CRC32C.checksum(frame.control), bulk: bulk,
            bulkByteCount: frame.bulk?.byteCount ?? 0)
    }
}
