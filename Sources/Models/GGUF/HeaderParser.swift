/// Parses everything before the tensor data: magic, version, counts, metadata, tensor descriptions.
///
/// The layout is that of the GGUF specification, versions 2 and 3 (which differ only in that 3 may be big-endian).
struct HeaderParser {
    struct Header {
        var version: UInt32
        var metadata: [String: MetadataValue]
        var tensors: [TensorDescription]
        /// Everything before the padding in front of the tensor data.
        var byteCount: Int
    }

    private var reader: ByteReader
    private var values: MetadataParser

    private init(_ bytes: UnsafeRawBufferPointer) {
        reader = ByteReader(bytes)
        values = MetadataParser()
    }

    static func parse(_ bytes: UnsafeRawBufferPointer) throws(ModelError) -> Header {
        var parser = HeaderParser(bytes)
        return try parser.parse()
    }

    private mutating func parse() throws(ModelError) -> Header {
        let version = try magicAndVersion()
        let tensorCount = try count("tensors", unitByteCountMin: 32, max: HeaderLimits.tensorCountMax)
        let metadataCount = try count("metadata keys", unitByteCountMin: 13, max: HeaderLimits.metadataCountMax)
        let metadata = try self.metadata(count: metadataCount)
        try Self.refuseSplit(metadata)
        let alignment = try Self.alignment(metadata)
        var tensors = TensorTableParser(alignment: alignment)
        for index in 0..<tensorCount { try tensors.append(from: &reader, index: index) }
        let byteCount = reader.offset
        return Header(
            version: version, metadata: metadata,
            tensors: try tensors.finish(headerByteCount: byteCount, fileByteCount: reader.bytes.count),
            byteCount: byteCount)
    }

    private mutating func magicAndVersion() throws(ModelError) -> UInt32 {
        let magic = try reader.take(4, "its first four bytes")
        guard magic.elementsEqual("GGUF".utf8) else {
            let shown = ModelError.quote(String(decoding: magic, as: UTF8.self))
            throw ModelError(.malformed, "not a GGUF file: it begins with \(shown), not \"GGUF\"")
        }
        let version = try reader.integer(UInt32.self, "the version")
        switch version {
        case 2, 3: return version
        case 1:
            throw ModelError(.unsupported, "GGUF version 1; versions 2 and 3 are read: convert the model again")
        case UInt32(2).byteSwapped, UInt32(3).byteSwapped:
            throw ModelError(
                .unsupported,
                "a big-endian GGUF file; only little-endian ones are read: convert it with "
                    + "`gguf-convert-endian FILE little` of the Python package gguf")
        default:
            throw ModelError(.unsupported, "GGUF version \(version); versions 2 and 3 are read")
        }
    }

    /// A count that the rest of the file has room for.
    private mutating func count(_ what: String, unitByteCountMin: Int, max: Int) throws(ModelError) -> Int {
        let value = try reader.integer(UInt64.self, "the number of \(what)")
        let room = reader.remaining / unitByteCountMin
        guard let count = Int(exactly: value), count <= room else {
            throw ModelError(
                .malformed,
                "claims \(value) \(what), but the file has room for \(room) at most; it is truncated or "
                    + "damaged, fetch it again")
        }
        guard count <= max else { throw ModelError(.unsupported, "\(count) \(what); at most \(max) are read") }
        return count
    }

    private mutating func metadata(count: Int) throws(ModelError) -> [String: MetadataValue] {
        var metadata: [String: MetadataValue] = [:]
        metadata.reserveCapacity(count)
        for index in 0..<count {
            let key = try MetadataParser.name(
                from: &reader, byteCountMax: HeaderLimits.keyByteCountMax, what: "the name of metadata key \(index)")
            let value = try values.value(from: &reader, key: key)
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw ModelError(.malformed, "metadata key \(ModelError.quote(key)) stands there twice")
            }
        }
        return metadata
    }

    private static func refuseSplit(_ metadata: [String: MetadataValue]) throws(ModelError) {
        guard let partCount = metadata["split.count"]?.integer, partCount > 1 else { return }
        let part = (metadata["split.no"]?.integer).flatMap { $0 < partCount ? $0 + 1 : nil } ?? 1
        throw ModelError(
            .unsupported,
            "part \(part) of a model split into \(partCount) files, which is not supported: join them "
                + "with `llama-gguf-split --merge FIRST-PART OUTPUT`")
    }

    private static func alignment(_ metadata: [String: MetadataValue]) throws(ModelError) -> Int {
        guard let value = metadata["general.alignment"] else { return HeaderLimits.defaultAlignment }
        guard let alignment = value.integer, alignment >= 8, alignment <= HeaderLimits.alignmentMax,
            alignment & (alignment - 1) == 0
        else {
            let shown = value.integer.map(String.init) ?? value.kindName
            throw ModelError(
                .malformed,
                "general.alignment is \(shown); it must be a power of two from 8 to "
                    + "\(HeaderLimits.alignmentMax)")
        }
        return alignment
    }
}
