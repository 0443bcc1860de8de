import CKernels

/// One matrix of a multiplication, and where its product goes: output[row * outputStride + n].
public struct Product {
    public let matrix: PackedMatrix
    public let output: UnsafeMutablePointer<Float>
    public let outputStride: Int

    public init(_ matrix: PackedMatrix, into output: UnsafeMutablePointer<Float>, stride: Int) {
        self.matrix = matrix
        self.output = output
        outputStride = stride
    }
}

extension ComputeContext {
    /// What happens to a product.
    public enum Epilogue: Sendable {
        case store
        /// Added to what stands in the output, as a residual connection needs it.
        case add
    }

    /// output[r * stride + n] = sum over k of W[n, k] x[r, k], for each row that the activations hold. Matrices that
    /// read
    /// the same activations go together in one operation.
    public func multiply(
        _ activations: Activations, _ first: Product, _ second: Product? = nil, _ third: Product? = nil,
        epilogue: Epilogue = .store
    ) {
        guard activations.rows > 0 else { return }
        withUnsafePointer(to: activations.kernelRows) { rows in
            var job = MultiplicationJob(rows: rows, rowCount: activations.rows, shares: pool.shares)
            var nanoseconds = part(first, activations, epilogue, &job.first)
            if let second { nanoseconds += part(second, activations, epilogue, &job.second) }
            if let third { nanoseconds += part(third, activations, epilogue, &job.third) }
            job.setTileCount(tileCount(nanoseconds: nanoseconds, unitCount: PanelCut.unitCount(job.panelCount)))
            pool.run(job, tileCount: job.tileCount)
        }
    }

    /// Sets a part of a job; gives about how long one thread needs for it.
    func part(
        _ product: Product, _ activations: Activations, _ epilogue: Epilogue, _ part: inout MultiplicationPart
    ) -> Double {
        let matrix = product.matrix
        precondition(
            matrix.columns == activations.columns,
            "a matrix of \(matrix.columns) columns times activations of \(activations.columns)")
        precondition(
            matrix.format.isQuantised ? activations.hasQuantisedForm : activations.hasFloatForm,
            "these activations were not made for \(matrix.format.name) weights")
        part.function = sl_kernels_multiply(kernels, matrix.format.kernelFormat)
        part.matrix = matrix.kernelMatrix
        part.panelCount = matrix.panelCount
        part.output = product.output
        part.outputStride = product.outputStride
        part.adds = epilogue == .add ? 1 : 0
        let rate =
            matrix.format.isQuantised
            ? instructionSet.multiplyAddsPerNanosecond : instructionSet.floatMultiplyAddsPerNanosecond
        let bytesPerNanosecond = 15.0
        return max(
            Double(matrix.byteCount) / bytesPerNanosecond,
            Double(matrix.rows * matrix.columns) * Double(activations.rows) / rate)
    }
}

/// One matrix of an operation, and where its product goes.
struct MultiplicationPart {
    var function: (@convention(c) (UnsafePointer<sl_multiplication>?) -> Void)?
    var matrix = sl_matrix()
    var panelCount = 0
    var output: UnsafeMutablePointer<Float>?
    var outputStride = 0
    var adds: Int32 = 0

    /// All rows times some of the panels.
    func run(_ rows: UnsafePointer<sl_rows>, rowCount: Int, panels: Range<Int>) {
        guard !panels.isEmpty, let function else { return }
        withUnsafePointer(to: matrix) { matrix in
            var multiplication = sl_multiplication(
                rows: rows, matrix: matrix, output: output, output_stride: Int64(outputStride), row_begin: 0,
                row_end: Int64(rowCount), panel_begin: Int64(panels.lowerBound),
                panel_end: Int64(panels.upperBound), adds: adds)
            function(&multiplication)
        }
    }
}

/// Cuts panels into tiles, where it can between those that kernels multiply together.
enum PanelCut {
    private static let panelsPerUnit = Int(SL_PANELS_TOGETHER)

    static func unitCount(_ panelCount: Int) -> Int { (panelCount + panelsPerUnit - 1) / panelsPerUnit }

    static func panels(of tile: Int, of tileCount: Int, panelCount: Int) -> Range<Int> {
        let units = unitCount(panelCount)
        return units * tile / tileCount * panelsPerUnit
            ..< min(units * (tile + 1) / tileCount * panelsPerUnit, panelCount)
    }
}

/// Up to three matrices; their panels, one after the other, are the units that tiles are cut from.
private struct MultiplicationJob: TileJob {
    let rows: UnsafePointer<sl_rows>
    let rowCount: Int
    var first = MultiplicationPart()
    var second = MultiplicationPart()
    var third = MultiplicationPart()
    private(set) var tileCount = 1
    private let shares: GroupShares
    /// Whether tiles are cut from each group's share of each matrix.
    private var isGrouped = false

    var panelCount: Int { first.panelCount + second.panelCount + third.panelCount }

    init(rows: UnsafePointer<sl_rows>, rowCount: Int, shares: GroupShares) {
        self.rows = rows
        self.rowCount = rowCount
        self.shares = shares
    }

    mutating func setTileCount(_ count: Int) {
        tileCount = count
        // A group without a tile could not compute its share.
        isGrouped = shares.groupCount > 1 && shares.reachAll(count)
    }

    func runTile(_ index: Int) {
        guard !isGrouped else {
            runGroupTile(index)
            return
        }
        let panels = PanelCut.panels(of: index, of: tileCount, panelCount: panelCount)
        run(first, panels, offset: 0)
        run(second, panels, offset: first.panelCount)
        run(third, panels, offset: first.panelCount + second.panelCount)
    }

    /// A tile of a group of threads: of each matrix it has panels of the group's share only, which lie on the group's
    /// NUMA node.
    private func runGroupTile(_ index: Int) {
        let group = shares.group(of: index, of: tileCount)
        let tiles = shares.range(ofGroup: group, of: tileCount)
        let ranges = (
            shares.range(ofGroup: group, of: first.panelCount), shares.range(ofGroup: group, of: second.panelCount),
            shares.range(ofGroup: group, of: third.panelCount)
        )
        let count = ranges.0.count + ranges.1.count + ranges.2.count
        let local = index - tiles.lowerBound
        let panels = PanelCut.panels(of: local, of: tiles.count, panelCount: count)
        run(first, panels, offset: 0, share: ranges.0)
        run(second, panels, offset: ranges.0.count, share: ranges.1)
        run(third, panels, offset: ranges.0.count + ranges.1.count, share: ranges.2)
    }

    /// The panels of a part that lie in the tile's range; the part's first has number `offset`.
    private func run(_ part: MultiplicationPart, _ panels: Range<Int>, offset: Int) {
        run(part, panels, offset: offset, share: 0..<part.panelCount)
    }

    /// The panels `share` of a part, as far as they lie in the tile's range; the share's first has number `offset`.
    private func run(_ part: MultiplicationPart, _ panels: Range<Int>, offset: Int, share: Range<Int>) {
        let own = panels.clamped(to: offset..<offset + share.count)
        let first = share.lowerBound - offset
        part.run(rows, rowCount: rowCount, panels: own.lowerBound + first..<own.upperBound + first)
    }
}
