import Foundation
import Inference
import Memory
import Models
import Tensors
import Testing

/// Whatever stands in a cache's file, what is read is what was packed, or nothing.
@Suite struct CacheFileTests {
    private let folder = CacheFolder()
    private let context: ComputeContext
    private let file: ModelFile
    private let key: PackedTensorKey
    private let matrix: PackedMatrix
    private let path: String
    private let sound: Data

    init() throws {
        context = try ComputeContext(threadCount: 1)
        file = try RandomModel(RandomModel.Shape(formats: [.q8_0], seed: 5)).open()
        key = try PackedTensorKey("blk.1.ffn_up.weight", of: file)
        let tensor = try #require(file.tensor(key.tensor))
        matrix = try context.pack(
            file.bytes(of: tensor), format: tensor.format, rows: tensor.rows, columns: tensor.columns)
        path = try #require(folder.cache.path(of: key))
        folder.cache.add(matrix, for: key, replaces: false)
        folder.cache.writePending()
        sound = try Data(contentsOf: URL(fileURLWithPath: path))
        _ = folder.events()
    }

    private func read(_ key: PackedTensorKey? = nil) throws -> (lookup: WeightCache.Lookup, place: PackingPlace) {
        let key = key ?? self.key
        let place = try context.reserve(key.shape)
        context.finishPacking()
        return (folder.cache.read(key, into: place, context: context), place)
    }

    /// Reads what `data` in the file's place gives; repairs it when it is refused, and expects that to succeed.
    private func readDamaged(_ data: Data, _ what: String) throws -> String? {
        try data.write(to: URL(fileURLWithPath: path))
        let (lookup, place) = try read()
        guard case .refused = lookup else {
            Issue.record("\(what): \(lookup)")
            return nil
        }
        if place.bytes.withUnsafeBytes({ $0.contains { $0 != 0 } }) { Issue.record("\(what): left bytes behind") }
        let events = folder.events()
        if events.count != 1 || events.first?.contains(key.tensor) != true { Issue.record("\(what): \(events)") }
        return events.first
    }

    private func isSame(_ other: PackedMatrix) -> Bool {
        matrix.bytes.withUnsafeBytes { own in other.bytes.withUnsafeBytes { own.elementsEqual($0) } }
    }

    @Test func theSoundFileIsRead() throws {
        guard case .found(let read) = try read().lookup else {
            Issue.record("not found")
            return
        }
        #expect(isSame(read))
        #expect(sound.count == 4096 + matrix.byteCount)
        #expect(folder.events().isEmpty)
    }

    @Test func everyDamagedByteIsFound() throws {
        for index in sound.indices {
            // All of the head's fields and hashes, and samples of the rest.
            guard index < 300 || index % 7 == 0 || index > sound.count - 40 else { continue }
            var data = sound
            data[index] ^= UInt8(1) << UInt8(index % 8)
            _ = try readDamaged(data, "byte \(index)")
        }
    }

    @Test func aRefusedFileIsReplaced() throws {
        var data = sound
        data[5000] ^= 0x10
        #expect(try readDamaged(data, "byte 5000")?.contains("do not fit their hash") == true)
        // Not by somebody who has no reason to, because its header is in order.
        folder.cache.add(matrix, for: key, replaces: false)
        folder.cache.writePending()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == data)
        folder.cache.add(matrix, for: key, replaces: true)
        folder.cache.writePending()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == sound)
        guard case .found(let read) = try read().lookup else {
            Issue.record("not found")
            return
        }
        #expect(isSame(read))
    }

    @Test func otherLengthsAreRefused() throws {
        for count in [0, 1, 7, 8, 11, 63, 200, 4095, 4096, 4097, sound.count - 1] {
            _ = try readDamaged(sound.prefix(count), "\(count) bytes")
        }
        _ = try readDamaged(sound + [0], "a byte too many")
        _ = try readDamaged(sound + sound, "twice")
        _ = try readDamaged(Data(repeating: 0, count: sound.count), "zeros")
    }

    @Test func otherVersionsAreNamed() throws {
        func event(_ offset: Int) throws -> String? {
            var data = sound
            data[offset] += 1
            return try readDamaged(data, "field at \(offset)")
        }
        #expect(try event(0)?.contains("is no file of packed weights") == true)
        #expect(try event(8)?.hasPrefix("outdated") == true)
        #expect(try event(12)?.contains("numerics revision \(Numerics.revision + 1); this program has") == true)
        #expect(try event(12)?.hasPrefix("outdated") == true)
        #expect(try event(16)?.contains("packed layout") == true)
        #expect(try event(20)?.hasPrefix("refused") == true)
        #expect(try event(56)?.contains("before the model's file was last written to") == true)
    }

    /// A header that is in order but for what it says: its checksum was made to fit.
    @Test func aForgedHeaderIsRefused() throws {
        for offset in [24, 32, 40, 48, 64, 130] {
            var header = [UInt8](sound[..<4096])
            header[offset] ^= 1
            let hash = try #require(header[..<4064].withUnsafeBytes { ContentHash(of: $0) })
            header.replaceSubrange(4064..., with: hash.bytes)
            _ = try readDamaged(Data(header) + sound[4096...], "field at \(offset)")
        }
    }

    @Test func anotherTensorsFileIsRefused() throws {
        let other = try PackedTensorKey("blk.2.ffn_up.weight", of: file)
        let otherPath = try #require(folder.cache.path(of: other))
        try FileManager.default.copyItem(atPath: path, toPath: otherPath)
        guard case .refused = try read(other).lookup else {
            Issue.record("another tensor's weights were taken")
            return
        }
        #expect(folder.events().first?.contains("holds another tensor") == true)
    }

    @Test func whatIsNoFileIsRefused() throws {
        try FileManager.default.removeItem(atPath: path)
        guard case .missing = try read().lookup else {
            Issue.record("found a file that is gone")
            return
        }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        guard case .refused = try read().lookup else {
            Issue.record("a folder was read")
            return
        }
        #expect(folder.events().first?.contains("is not a regular file") == true)
        // It cannot be replaced either, and that is all that happens.
        folder.cache.add(matrix, for: key, replaces: true)
        folder.cache.writePending()
        #expect(folder.events().first?.contains("cannot rename") == true)
        #expect(folder.files().isEmpty)
    }

    @Test(arguments: ["../up", "a/b", ".hidden", "", "naïve", "a b", String(repeating: "x", count: 201), "a\u{0}b"])
    func namesThatAreNoFilesAreNotKept(_ name: String) {
        for (fingerprint, tensor) in [(name, "t"), ("f", name)] {
            let other = PackedTensorKey(
                modelFingerprint: fingerprint, tensor: tensor, shape: key.shape, modelModificationNanoseconds: 0)
            #expect(folder.cache.path(of: other) == nil)
            folder.cache.add(matrix, for: other, replaces: false)
        }
        folder.cache.writePending()
        #expect(folder.events().isEmpty)
    }

    @Test func aTensorOfSeveralPieces() throws {
        var random = SeededGenerator(77)
        let tensor = RandomTensor(.f32, rows: 700, columns: 300, spread: 1, &random)
        let large = try tensor.bytes.withUnsafeBytes {
            try context.pack($0, format: .f32, rows: 700, columns: 300)
        }
        let key = PackedTensorKey(
            modelFingerprint: "f", tensor: "large", shape: large.shape, modelModificationNanoseconds: 1)
        #expect(PackedHash.pieceCount(of: large.shape) == 4)
        folder.cache.add(large, for: key, replaces: false)
        folder.cache.writePending()
        let path = try #require(folder.cache.path(of: key))
        for threadCount in 1...3 {
            let context = try ComputeContext(threadCount: threadCount)
            let place = try context.reserve(key.shape)
            var seen: [Int] = []
            let lookup = folder.cache.read(key, into: place, context: context) { seen.append($0) }
            guard case .found(let read) = lookup else {
                Issue.record("not found with \(threadCount) threads")
                continue
            }
            #expect(large.bytes.withUnsafeBytes { own in read.bytes.withUnsafeBytes { own.elementsEqual($0) } })
            #expect(seen.last == large.byteCount)
        }
        for offset in [4096, 4096 + 300_000, 4096 + large.byteCount - 1] {
            try WeightCacheTests.damage(path) { $0[offset] ^= 4 }
            guard case .refused = try read(key).lookup else {
                Issue.record("damage at \(offset) was not found")
                continue
            }
            try WeightCacheTests.damage(path) { $0[offset] ^= 4 }
        }
    }
}
