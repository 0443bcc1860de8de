import Glibc
import Models
import Tensors
import Vocabulary

/// Model files: opens the file, its description, its tokenizer and its template, encodes a text and a conversation.
struct GGUFFuzz: FuzzSubject {
    private let corpora: [[UInt8]]
    /// Where the damage goes: the header, of which real files have megabytes.
    private let headByteCounts: [Int]
    private let scratchPath: String

    init(corpusPath: String?) throws {
        corpora = try corpusPath.map { [try Self.metadataAlone(try Self.read($0), $0)] } ?? SmallModel.variants()
        headByteCounts = try corpora.map { try Self.headByteCount(of: $0) }
        scratchPath = "/tmp/shardline-fuzz-\(getpid()).gguf"
    }

    mutating func run(_ random: inout FuzzRandom) throws -> Bool {
        let choice = random.below(corpora.count)
        var bytes = corpora[choice]
        ByteMutator.mutate(&bytes, headByteCount: headByteCounts[choice], &random)
        // In memory the sanitizer sees every byte read beyond the end; the mapping has its own turn now and then.
        let usesFile = bytes.count < 1 << 20 && random.once(in: 50)
        do throws(ModelError) {
            let file: ModelFile
            if usesFile {
                defer { unlink(scratchPath) }
                Self.write(bytes, to: scratchPath)
                file = try ModelFile(path: scratchPath)
            } else {
                file = try ModelFile(bytes.withUnsafeBytes { FileBytes(copying: $0) }, path: "mutated.gguf")
            }
            return try Self.use(file)
        } catch {
            // Refusing is right; saying nothing about it is not.
            guard error.message.count > 10, error.message.utf8.count < 1000 else {
                throw FuzzFailure("an error says too little or too much: \(error.message.prefix(200))")
            }
            return false
        }
    }

    /// All that a node and a gateway ask of a file. One part's refusal does not spare the others.
    private static func use(_ file: ModelFile) throws(ModelError) -> Bool {
        var sum: UInt8 = 0
        for tensor in file.tensors {
            let bytes = file.bytes(of: tensor)
            sum ^= bytes[0] ^ bytes[bytes.count - 1]
        }
        withExtendedLifetime(sum) {}
        let description = Result { () throws(ModelError) in try ModelDescription(file) }
        if case .success(let description) = description {
            let profile = description.profile(servedName: "fuzz")
            precondition(profile.layerBytes.count == description.layerCount, "units are incomplete")
            precondition(description.headCount % description.kvHeadCount == 0, "heads do not divide")
        }
        let text = try TextModel(file)
        let sample = "Hello, world! 12 <|im_end|> naïve\n\n  \u{1F600}'ll"
        for parses in [true, false] {
            let tokens = text.tokenizer.encode(sample, parsesControlTokens: parses)
            precondition(
                tokens.allSatisfy { $0 >= 0 && $0 < text.tokenizer.vocabularySize }, "a token outside the vocabulary")
            _ = text.tokenizer.decode(tokens + [-1, .max])
        }
        if text.template.refusal == nil {
            _ = try text.encode([ChatMessage(role: "user", content: sample)])
        }
        // Metadata alone describes no model.
        if !file.tensors.isEmpty { _ = try description.get() }
        return true
    }

    /// A real file without its tensors, which are nothing to a parser but bytes to carry along: its metadata as it
    /// stands there, and a tensor count of zero.
    private static func metadataAlone(_ bytes: [UInt8], _ path: String) throws -> [UInt8] {
        let file = try ModelFile(bytes.withUnsafeBytes { FileBytes(copying: $0) }, path: path)
        guard let first = file.tensors.first, let dataStart = file.tensors.map(\.offset).min() else { return bytes }
        var infoStart = MetadataBytes()
        infoStart.append(first.name)
        guard let end = bytes[..<dataStart].firstRange(of: infoStart.bytes)?.lowerBound else {
            throw FuzzFailure("\(path): no description of tensor \(first.name) before offset \(dataStart)")
        }
        var metadata = Array(bytes[..<end])
        metadata.replaceSubrange(8..<16, with: repeatElement(0, count: 8))
        return metadata
    }

    private static func headByteCount(of bytes: [UInt8]) throws -> Int {
        let file = try ModelFile(bytes.withUnsafeBytes { FileBytes(copying: $0) }, path: "corpus")
        return file.tensors.map(\.offset).min() ?? bytes.count
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let stream = fopen(path, "rb") else { throw FuzzFailure("\(path): \(String(cString: strerror(errno)))") }
        defer { fclose(stream) }
        fseek(stream, 0, SEEK_END)
        let byteCount = ftell(stream)
        guard byteCount > 0 else { throw FuzzFailure("\(path): is empty or cannot be measured") }
        rewind(stream)
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            count = fread(buffer.baseAddress, 1, byteCount, stream)
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        guard let stream = fopen(path, "wb") else { return }
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
    }
}
