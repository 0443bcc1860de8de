import Glibc
import Inference
import Memory
import Tensors

/// Files of a weight cache: a damaged one is refused, or what is read is what was packed. Often the header's checksum
/// is made to fit the damage again.
struct CacheFileFuzz: FuzzSubject {
    private struct Seed {
        var matrix: PackedMatrix
        var key: PackedTensorKey
        var path: String
        var bytes: [UInt8]
    }

    private let context: ComputeContext
    private let cache: WeightCache
    private let seeds: [Seed]

    init(corpusPath: String?) throws {
        guard corpusPath == nil else { throw FuzzFailure("files of packed weights are made here; give no --corpus") }
        let context = try ComputeContext(threadCount: 1)
        let cache = WeightCache(folder: "/tmp/shardline-fuzz-cache-\(getpid())", freeByteCountMin: 0)
        var seeds: [Seed] = []
        for (format, rows, columns) in [(TensorFormat.q8_0, 48, 96), (.f32, 17, 5), (.q4_0, 700, 1024)] {
            let shape = try PackedShape(format: format, rows: rows, columns: columns)
            let source = (0..<shape.sourceByteCount).map { UInt8(truncatingIfNeeded: $0 % 51) }
            let matrix = try source.withUnsafeBytes { bytes in
                try context.pack(bytes, format: format, rows: rows, columns: columns)
            }
            let key = PackedTensorKey(
                modelFingerprint: "model", tensor: format.name, shape: shape, modelModificationNanoseconds: 7)
            cache.add(matrix, for: key, replaces: true)
            cache.writePending()
            guard let path = cache.path(of: key), let bytes = Self.read(path) else {
                throw FuzzFailure("cannot write below \(cache.folder)")
            }
            Self.remove(path, below: cache.folder)
            seeds.append(Seed(matrix: matrix, key: key, path: path, bytes: bytes))
        }
        self.context = context
        self.cache = cache
        self.seeds = seeds
    }

    mutating func run(_ random: inout FuzzRandom) throws -> Bool {
        let seed = seeds[random.below(seeds.count)]
        let headerByteCount = CacheFileHeader.byteCount(for: seed.key)
        var bytes = seed.bytes
        // The part that is not all zeros.
        ByteMutator.mutate(&bytes, headByteCount: 320, &random)
        if random.once(in: 2), bytes.count >= headerByteCount { Self.seal(&bytes, headerByteCount: headerByteCount) }
        write(bytes, to: seed.path)
        defer { remove(seed.path) }
        let place = try context.reserve(seed.key.shape)
        context.finishPacking()
        switch cache.read(seed.key, into: place, context: context) {
        case .missing: throw FuzzFailure("the file is not there")
        case .refused:
            guard place.bytes.withUnsafeBytes({ $0.allSatisfy { $0 == 0 } }) else {
                throw FuzzFailure("a refused file left bytes behind")
            }
            return false
        case .found(let matrix):
            let isSame = matrix.bytes.withUnsafeBytes { read in
                seed.matrix.bytes.withUnsafeBytes { read.elementsEqual($0) }
            }
            guard isSame else { throw FuzzFailure("other weights than were packed were read") }
            return true
        }
    }

    /// Makes the header's own checksum fit, not those of the packed bytes.
    private static func seal(_ bytes: inout [UInt8], headerByteCount: Int) {
        let end = headerByteCount - ContentHash.byteCount
        guard let hash = bytes[..<end].withUnsafeBytes({ ContentHash(of: $0) }) else { return }
        bytes.replaceSubrange(end..<headerByteCount, with: hash.bytes)
    }

    private static func read(_ path: String) -> [UInt8]? {
        guard let stream = fopen(path, "rb") else { return nil }
        defer { fclose(stream) }
        return [UInt8](unsafeUninitializedCapacity: 4 << 20) { buffer, count in
            count = fread(buffer.baseAddress, 1, buffer.count, stream)
        }
    }

    private func write(_ bytes: [UInt8], to path: String) {
        mkdir(cache.folder, 0o700)
        mkdir(cache.folder + "/model", 0o700)
        guard let stream = fopen(path, "wb") else { return }
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
    }

    private func remove(_ path: String) { Self.remove(path, below: cache.folder) }

    /// Leaves nothing behind, whichever case is the last.
    private static func remove(_ path: String, below folder: String) {
        unlink(path)
        rmdir(folder + "/model")
        rmdir(folder)
    }
}
