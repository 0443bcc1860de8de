import Glibc
import Wire

/// Inputs to start from, out of the golden frames.
enum Seeds {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct Golden {
        var name: String
        var message: String
        var bytes: [UInt8]
        var control: [UInt8] { bytes.withUnsafeBytes { bytes in
            let count = FrameHeader.lengths(at: bytes.baseAddress!).controlByteCount
            return Array(bytes[FrameHeader.byteCount..<FrameHeader.byteCount + count])
        } }
    }

    static func frames() throws -> [[UInt8]] {
        let golden = try golden()
        return golden.map { [0] + $0.bytes } + [[12] + golden.flatMap(\.bytes)]
    }

    static func messages() throws -> [[UInt8]] {
        try golden().compactMap { frame in
            MessageTarget.selector(of: frame.message).map { [$0] + frame.control }
        }
    }

    static func handshakes() throws -> [[UInt8]] {
        try golden().flatMap { frame -> [[UInt8]] in
            switch frame.name {
            case "hello", "hello-activations": [[0] + frame.bytes, [2] + frame.bytes, [0x1A] + frame.bytes]
            case "enrol": [[4] + frame.bytes]
            case "welcome", "refuse", "enrol-refused": [[1] + frame.bytes]
            default: []
            }
        }
    }

    static func write(_ seeds: [[UInt8]], to folder: String) throws {
        for (index, seed) in seeds.enumerated() {
            let path = "\(folder)/seed-\(index)"
            guard let file = fopen(path, "wb") else { throw Failure(description: "\(path) cannot be written") }
            defer { fclose(file) }
            guard fwrite(seed, 1, seed.count, file) == seed.count else {
                throw Failure(description: "\(path) cannot be written")
            }
        }
    }

    private static func golden() throws -> [Golden] {
        let repository = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let folder = repository.joined(separator: "/") + "/Protocols/golden/"
        return try text(of: folder + "index.txt").split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let words = line.split(separator: " ")
            guard words.count >= 2 else { throw Failure(description: "\(folder)index.txt: \(line)") }
            let digits = try text(of: folder + words[0] + ".hex").compactMap(\.hexDigitValue).map(UInt8.init)
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            return Golden(name: String(words[0]), message: String(words[1]), bytes: bytes)
        }
    }

    private static func text(of path: String) throws -> String {
        guard let stream = fopen(path, "rb") else { throw Failure(description: "\(path) cannot be read") }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
