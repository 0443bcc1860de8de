import Foundation
import Inference
import Models
import Synchronization
import Tensors
import Testing
import Vocabulary

@Suite struct WeightCacheTests {
    private let context: ComputeContext

    init() throws { context = try ComputeContext(threadCount: 2) }

    private static let shape = RandomModel.Shape(
        isTied: false, hasBiases: true, formats: [.q4_1, .q8_0, .f32, .q4_0, .bf16, .f16], seed: 21)

    private func load(
        _ file: ModelFile, _ cache: WeightCache?, layers: Range<Int> = 0..<3, embedding: Bool = true, head: Bool = true,
        progress: @escaping (Int, Int) -> Void = { _, _ in }
    ) throws -> StageWeights {
        try StageWeights.load(
            file: file, description: try ModelDescription(file),
            units: StageUnits(layers: layers, hasEmbedding: embedding, hasHead: head), context: context, cache: cache,
            progress: progress)
    }

    private func results(_ weights: StageWeights) throws -> [TestResult] {
        let requests = SameBitsTests.requests(vocabularySize: 300, lengths: [1, 33, 40, 65])
        let stage = try StageRunner(
            weights: weights, context: context, blockCount: 64, rowCountMax: 256, endTokens: [])
        return try TestDriver(pipeline: TestPipeline([stage]), concurrency: 4).run(requests)
    }

    @Test func whatWasPackedOnceIsReadTheNextTime() throws {
        let folder = CacheFolder()
        let file = try RandomModel(Self.shape).open()
        let packed = try load(file, folder.cache)
        #expect(packed.cachedByteCount == 0)
        #expect(folder.files().isEmpty, "nothing is written while loading")
        folder.cache.writePending()
        // Seven matrices a layer, the embedding and the head; no norms, no biases.
        #expect(folder.files().count == 3 * 7 + 2)
        #expect(folder.events().filter { $0.hasPrefix("stored") }.count == 3 * 7 + 2)
        let read = try load(file, folder.cache)
        #expect(read.byteCount == packed.byteCount)
        let matrices = file.tensors.filter { $0.rows > 1 }
        let expected = try matrices.reduce(0) { try $0 + PackedTensorKey($1.name, of: file).shape.byteCount }
        #expect(read.cachedByteCount == expected)
        #expect(try results(read) == results(packed))
        #expect(try results(read) == results(load(file, nil)))
        // Nothing was left to write.
        folder.cache.writePending()
        #expect(folder.events().isEmpty)
    }

    @Test func stagesShareWhatTheyHave() throws {
        let folder = CacheFolder()
        let file = try RandomModel(Self.shape).open()
        let first = try load(file, folder.cache, layers: 0..<2, head: false)
        folder.cache.writePending()
        #expect(folder.files().count == 2 * 7 + 1)
        let other = folder.other()
        let rest = try load(file, other, layers: 1..<3, embedding: false)
        #expect(rest.cachedByteCount > 0 && rest.cachedByteCount < rest.byteCount)
        other.writePending()
        #expect(folder.files().count == 3 * 7 + 2)
        let all = try load(file, folder.other())
        let matrixBytes = first.byteCount + rest.byteCount
        #expect(all.cachedByteCount < matrixBytes)
        #expect(try results(all) == results(load(file, nil)))
    }

    @Test func progressGrowsWithAndWithoutTheCache() throws {
        let folder = CacheFolder()
        let file = try RandomModel(Self.shape).open()
        let total = file.tensors.reduce(0) { $0 + $1.byteCount }
        for round in 0..<3 {
            var seen: [Int] = []
            let weights = try load(file, folder.cache) { done, all in
                seen.append(done)
                #expect(all == total)
            }
            #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 })
            #expect(seen.last == total)
            folder.cache.writePending()
            withExtendedLifetime(weights) {}
            // For the third round: every second file is damaged near its end, when most of it has been read.
            guard round == 1 else { continue }
            for (index, name) in folder.files().enumerated() where index % 2 == 0 {
                try Self.damage("\(folder.path)/\(name)") { $0[$0.count - 1] ^= 1 }
            }
        }
        #expect(folder.events().filter { $0.hasPrefix("refused") }.count == 12)
    }

    @Test func aStageThatIsGoneIsNotKeptForTheCache() throws {
        let folder = CacheFolder()
        let file = try RandomModel(Self.shape).open()
        do { _ = try load(file, folder.cache) }
        folder.cache.writePending()
        #expect(folder.files().isEmpty)
        let held = try load(file, folder.cache)
        folder.cache.writePending()
        #expect(folder.files().count == 3 * 7 + 2)
        withExtendedLifetime(held) {}
    }

    @Test func aModelFileThatWasWrittenAgainIsPackedAgain() throws {
        let folder = CacheFolder()
        try TemporaryFile.with { path in
            try RandomModel(Self.shape).write(to: path)
            let packed = try load(try ModelFile(path: path), folder.cache)
            folder.cache.writePending()
            #expect(try load(try ModelFile(path: path), folder.cache).cachedByteCount > 0)
            _ = folder.events()
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: path)
            let again = try load(try ModelFile(path: path), folder.cache)
            #expect(again.cachedByteCount == 0)
            let events = folder.events()
            #expect(events.count == 3 * 7 + 2)
            #expect(
                events.allSatisfy {
                    $0.hasPrefix("outdated") && $0.contains("before the model's file was last written")
                })
            folder.cache.writePending()
            #expect(try load(try ModelFile(path: path), folder.cache).cachedByteCount > 0)
            withExtendedLifetime((packed, again)) {}
        }
    }

    /// As two nodes of one host that start together.
    @Test func manyMayUseAFolderAtOnce() async throws {
        let folder = CacheFolder()
        let file = try RandomModel(Self.shape).open()
        let expected = try results(try load(file, nil))
        try await withThrowingTaskGroup(of: [TestResult].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let suite = try WeightCacheTests()
                    let cache = folder.other()
                    for _ in 0..<5 {
                        let weights = try suite.load(file, cache)
                        cache.writePending()
                        withExtendedLifetime(weights) {}
                    }
                    return try suite.results(try suite.load(file, cache))
                }
            }
            for try await results in group { #expect(results == expected) }
        }
        #expect(folder.files().count == 3 * 7 + 2)
    }

    @Test func aFullDiskIsReportedOnce() throws {
        let folder = CacheFolder(freeByteCountMin: 1 << 60)
        let file = try RandomModel(Self.shape).open()
        let weights = try load(file, folder.cache)
        folder.cache.writePending()
        #expect(folder.files().isEmpty)
        let events = folder.events()
        #expect(events.count == 1)
        #expect(events.first?.contains("MiB are free") == true)
        #expect(events.first?.contains("22 more are left out") == true)
        folder.cache.writePending()
        #expect(folder.events().isEmpty)
        withExtendedLifetime(weights) {}
    }

    @Test func aFolderThatCannotBeIsReported() throws {
        let cache = WeightCache(folder: "/proc/no-such-folder/cache", freeByteCountMin: 0)
        let file = try RandomModel(Self.shape).open()
        let weights = try load(file, cache)
        cache.writePending()
        #expect(try load(file, cache).cachedByteCount == 0)
        withExtendedLifetime(weights) {}
    }

    @Test func whatKilledWritersLeftIsRemoved() throws {
        let folder = CacheFolder()
        let file = try RandomModel(Self.shape).open()
        let models = "\(folder.path)/\(file.fingerprint)"
        try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
        func make(_ name: String, ageSeconds: Double) {
            _ = FileManager.default.createFile(
                atPath: "\(models)/\(name)", contents: Data([1, 2, 3]),
                attributes: [.modificationDate: Date().addingTimeInterval(-ageSeconds)])
        }
        make(".a.packed.1.1.tmp", ageSeconds: 100)
        make(".b.packed.1.2.tmp", ageSeconds: 0)
        make(".c.packed.1.3.tmp", ageSeconds: 100)
        make("notes.tmp", ageSeconds: 100)
        let writer = open("\(models)/.c.packed.1.3.tmp", O_RDONLY)
        defer { close(writer) }
        #expect(flock(writer, LOCK_EX) == 0)
        let weights = try load(file, folder.cache)
        folder.cache.writePending()
        let left = folder.files().filter { $0.hasSuffix(".tmp") }.map { ($0 as NSString).lastPathComponent }
        #expect(left == [".b.packed.1.2.tmp", ".c.packed.1.3.tmp", "notes.tmp"])
        withExtendedLifetime(weights) {}
    }

    static func damage(_ path: String, _ change: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        change(&data)
        try data.write(to: URL(fileURLWithPath: path))
    }
}
