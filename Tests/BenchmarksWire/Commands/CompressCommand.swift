import ArgumentParser
import Foundation
import Memory
import Transport
import Vocabulary
import Wire

/// `shardline-bench-wire compress`: what compressing bulk gives and costs.
struct CompressCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compress",
        abstract: "Ratio and speed of LZ4 with and without shuffling, in pieces of 256 KiB.",
        discussion: "Without files: normally distributed f16 numbers, and those with the exponents of one channel each.")

    @Argument(help: "Files of raw f16 numbers, such as keys and values.")
    var files: [String] = []

    private static let pieceByteCount = 256 << 10

    func run() async throws {
        var subjects: [(String, [UInt8])] = try files.map { path in
            (URL(fileURLWithPath: path).lastPathComponent, Array(try Data(contentsOf: URL(fileURLWithPath: path))))
        }
        if subjects.isEmpty {
            subjects = [
                ("normal f16", Self.normal(scales: [1])),
                (
                    "normal f16, 64 channels of different scales",
                    Self.normal(scales: (0..<64).map { exp2(Double($0 % 7) - 3) })
                ),
            ]
        }
        print("| data | MiB | LZ4 ratio | shuffled, ratio | compress, GB/s | decompress, GB/s |")
        print("|---|---:|---:|---:|---:|---:|")
        for (name, bytes) in subjects { try measure(name, bytes) }
    }

    /// Rows of as many numbers as there are scales.
    private static func normal(scales: [Double]) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        let count = 8 << 20
        bytes.reserveCapacity(2 * count)
        for index in 0..<count {
            // Box and Muller.
            let radius = (-2 * log(Double.random(in: Double.leastNonzeroMagnitude...1, using: &generator))).squareRoot()
            let value = radius * cos(2 * Double.pi * Double.random(in: 0...1, using: &generator))
            let pattern = Float16(value * scales[index % scales.count]).bitPattern
            bytes.append(UInt8(truncatingIfNeeded: pattern))
            bytes.append(UInt8(truncatingIfNeeded: pattern >> 8))
        }
        return bytes
    }

    private func measure(_ name: String, _ bytes: [UInt8]) throws {
        let size = Self.pieceByteCount
        let whole = try BufferSlice(copying: bytes)
        let planes = try AlignedBuffer(byteCount: size)
        let back = try AlignedBuffer(byteCount: size)
        var (plain, shuffled, total, compressTime, decompressTime) = (0, 0, 0, 0.0, 0.0)
        let compressed = try AlignedBuffer(byteCount: size)
        try whole.withUnsafeBytes { whole in
            for start in stride(from: 0, to: whole.count, by: size) {
                let piece = UnsafeRawBufferPointer(rebasing: whole[start..<min(start + size, whole.count)])
                let room = UnsafeMutableRawBufferPointer(start: compressed.base, count: size)
                let part = UnsafeMutableRawBufferPointer(start: planes.base, count: piece.count)
                plain += BulkCodec.compress(piece, into: room) ?? piece.count
                let begin = EventLoop.now
                BulkCodec.shuffle(piece, into: part)
                let count = BulkCodec.compress(UnsafeRawBufferPointer(part), into: room)
                compressTime += (EventLoop.now - begin).seconds
                shuffled += count ?? piece.count
                total += piece.count
                guard let count else { continue }
                let again = EventLoop.now
                let restored = UnsafeMutableRawBufferPointer(start: back.base, count: piece.count)
                try BulkCodec.decompress(
                    UnsafeRawBufferPointer(start: compressed.base, count: count), into: part)
                BulkCodec.unshuffle(UnsafeRawBufferPointer(part), into: restored)
                decompressTime += (EventLoop.now - again).seconds
            }
        }
        print(
            String(
                format: "| %@ | %d | %.3f | %.3f | %.2f | %.2f |", name, total >> 20, Double(plain) / Double(total),
                Double(shuffled) / Double(total), Double(total) / compressTime / 1e9,
                Double(total) / decompressTime / 1e9))
    }
}
