public import Tensors

/// Where a tensor lies in its file and what it is.
public struct TensorDescription: Sendable, Hashable {
    public let name: String
    public let format: TensorFormat
    /// In the file's order: the first is the length of a row, whose elements lie side by side. One to four.
    public let dimensions: [Int]
    /// From the start of the file.
    public let offset: Int
    public let byteCount: Int

    /// Elements of a row.
    public var columns: Int { dimensions[0] }
    /// Product of all dimensions but the first.
    public let rows: Int

    init(name: String, format: TensorFormat, dimensions: [Int], rows: Int, offset: Int, byteCount: Int) {
        self.name = name
        self.format = format
        self.dimensions = dimensions
        self.rows = rows
        self.offset = offset
        self.byteCount = byteCount
    }

    var range: Range<Int> { offset..<offset + byteCount }
}
