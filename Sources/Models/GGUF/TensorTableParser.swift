import Tensors

/// Parses tensor descriptions and checks each against the file and against the others.
struct TensorTableParser {
    private struct Entry {
        var name: String
        var format: TensorFormat
        var dimensions: [Int]
        var rows: Int
        /// From the start of the tensor data.
        var offset: UInt64
        var byteCount: Int
    }

    private let alignment: Int
    private var entries: [Entry] = []
    private var names: Set<String> = []

    init(alignment: Int) { self.alignment = alignment }

    mutating func append(from reader: inout ByteReader, index: Int) throws(ModelError) {
        let name = try MetadataParser.name(
            from: &reader, byteCountMax: HeaderLimits.tensorNameByteCountMax, what: "the name of tensor \(index)")
        let what = Self.what(name)
        guard names.insert(name).inserted else { throw ModelError(.malformed, "\(what) stands there twice") }
        let dimensions = try Self.dimensions(from: &reader, what: what)
        let typeNumber = try reader.integer(UInt32.self, what)
        guard let format = TensorFormat(rawValue: typeNumber) else {
            let supported = TensorFormat.allCases.map(\.name).joined(separator: ", ")
            throw ModelError(
                .unsupported,
                "\(what) has type \(TensorFormat.name(ofTypeNumber: typeNumber)), which is not "
                    + "supported; supported are \(supported)")
        }
        let offset = try reader.integer(UInt64.self, what)
        var rows = 1
        for dimension in dimensions.dropFirst() {
            let (product, isTooLarge) = rows.multipliedReportingOverflow(by: dimension)
            guard !isTooLarge else { throw Self.tooLarge(what, dimensions) }
            rows = product
        }
        guard dimensions[0] % format.blockElementCount == 0 else {
            throw ModelError(
                .malformed,
                "\(what) has rows of \(dimensions[0]) elements, but \(format.name) packs blocks of "
                    + "\(format.blockElementCount)")
        }
        guard let byteCount = format.byteCount(rows: rows, columns: dimensions[0]) else {
            throw Self.tooLarge(what, dimensions)
        }
        entries.append(
            Entry(
                name: name, format: format, dimensions: dimensions, rows: rows, offset: offset, byteCount: byteCount))
    }

    /// - Parameter headerByteCount: where the last tensor description ends; the data begins at the next multiple of
    ///   the alignment.
    func finish(headerByteCount: Int, fileByteCount: Int) throws(ModelError) -> [TensorDescription] {
        // Cannot overflow: both are bounded far below by the file's size and by alignmentMax.
        let dataStart = (headerByteCount + alignment - 1) / alignment * alignment
        var tensors: [TensorDescription] = []
        tensors.reserveCapacity(entries.count)
        for entry in entries {
            guard entry.offset % UInt64(alignment) == 0 else {
                throw ModelError(
                    .malformed,
                    "\(Self.what(entry.name)) lies at offset \(entry.offset), which is not a multiple of "
                        + "the alignment \(alignment)")
            }
            guard let offset = Int(exactly: entry.offset), offset <= fileByteCount - dataStart,
                entry.byteCount <= fileByteCount - dataStart - offset
            else {
                throw ModelError(
                    .malformed,
                    "\(Self.what(entry.name)) (\(entry.byteCount) bytes at offset \(entry.offset) of the "
                        + "tensor data) reaches beyond the end of the file; it is truncated or damaged, fetch it again")
            }
            tensors.append(
                TensorDescription(
                    name: entry.name, format: entry.format, dimensions: entry.dimensions, rows: entry.rows,
                    offset: dataStart + offset, byteCount: entry.byteCount))
        }
        try Self.refuseOverlap(tensors)
        return tensors
    }

    private static func refuseOverlap(_ tensors: [TensorDescription]) throws(ModelError) {
        let ordered = tensors.sorted { $0.offset < $1.offset }
        for (first, second) in zip(ordered, ordered.dropFirst()) where first.range.overlaps(second.range) {
            throw ModelError(.malformed, "\(what(first.name)) and \(what(second.name)) overlap in the file")
        }
    }

    private static func dimensions(from reader: inout ByteReader, what: String) throws(ModelError) -> [Int] {
        let count = try reader.integer(UInt32.self, what)
        guard (1...UInt32(HeaderLimits.dimensionCountMax)).contains(count) else {
            throw ModelError(
                .malformed, "\(what) has \(count) dimensions; 1 to \(HeaderLimits.dimensionCountMax) are possible")
        }
        var dimensions: [Int] = []
        for _ in 0..<count {
            let value = try reader.integer(UInt64.self, what)
            guard let dimension = Int(exactly: value), dimension > 0 else {
                throw ModelError(.malformed, "\(what) has a dimension of \(value)")
            }
            dimensions.append(dimension)
        }
        return dimensions
    }

    private static func what(_ name: String) -> String { "tensor \(ModelError.quote(name))" }

    private static func tooLarge(_ what: String, _ dimensions: [Int]) -> ModelError {
        let shown = dimensions.map(String.init).joined(separator: " x ")
        return ModelError(.malformed, "\(what) of \(shown) elements is larger than any file")
    }
}
