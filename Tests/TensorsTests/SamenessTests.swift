import CKernels
import Tensors
import Testing

/// A product's bits depend on its row and its weights only: not on the instruction set, the rows beside it, the threads,
/// or where an operation is cut. Exhaustive for small shapes, random for large ones.
@Suite struct SamenessTests {
    /// Each number of rows from 1 to 64, at the beginning and at the end of the activations, and each run of panels;
    /// nothing is written beside them.
    @Test(arguments: TensorFormat.allCases, [1, 2, 3])
    func everyRunOfRowsAndPanels(_ format: TensorFormat, _ unitCount: Int) throws {
        var random = RandomSource(seed: UInt64(format.rawValue) + 200)
        let (matrixRows, rowCount, columns) = (35, 64, format.columns(unitCount))
        let context = try ComputeContext(threadCount: 1)
        let bytes = random.matrixBytes(
            format, rows: matrixRows, columns: columns, scales: unitCount == 2 ? .wild : .moderate)
        let matrix = try context.pack(bytes, format, rows: matrixRows, columns: columns)
        let x = random.activations(rowCount * columns)
        let old = random.values(KernelRows.tableCount(rows: rowCount, matrixRows: matrixRows))
        let products = referenceProduct(bytes, format, rows: matrixRows, columns: columns, x)
        for set in InstructionSet.available {
            let table = try kernels(set)
            let rows = try KernelRows(x, columns: columns, table)
            // The oracle takes eight rows at a time, and its time.
            for count in set == .scalar ? [1, 7, 8, 9, 64] : Array(1...rowCount) {
                for (first, panels) in [0, rowCount - count].flatMap({ first in Self.runs.map { (first, $0) } }) {
                    let adds = (count + panels.upperBound) % 2 == 0
                    let run = first..<first + count
                    let found = rows.multiply(
                        table, format, matrix, rows: run, panels: panels, adds: adds, initial: { old[$0] })
                    var expected = old
                    let written = panels.lowerBound * 16..<min(panels.upperBound * 16, matrixRows)
                    for row in run {
                        for n in written {
                            let index = KernelRows.index(row: row, n: n, matrixRows: matrixRows)
                            expected[index] = products[row * matrixRows + n] + (adds ? old[index] : 0)
                        }
                    }
                    guard let difference = difference(found, expected) else { continue }
                    Issue.record(
                        "\(set), \(columns) columns, rows \(run), panels \(panels), adds \(adds): \(difference)")
                    return
                }
            }
        }
    }

    /// All runs of three panels.
    private static let runs = [0..<1, 0..<2, 0..<3, 1..<2, 1..<3, 2..<3]

    /// Each batch size from 1 to 64 on one to four threads.
    @Test(arguments: TensorFormat.allCases) func everyBatchSizeAndThreadCount(_ format: TensorFormat) throws {
        var random = RandomSource(seed: UInt64(format.rawValue) + 300)
        let (matrixRows, rowCount, columns) = (203, 64, format.isQuantised ? 768 : 333)
        let bytes = random.matrixBytes(format, rows: matrixRows, columns: columns)
        let x = random.activations(rowCount * columns)
        let oracle = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        let expected = try oracle.product(
            try oracle.pack(bytes, format, rows: matrixRows, columns: columns), x, rows: rowCount)
        for (set, threadCount) in InstructionSet.available.flatMap({ set in (1...4).map { (set, $0) } }) {
            let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
            let matrix = try context.pack(bytes, format, rows: matrixRows, columns: columns)
            let activations = try context.makeActivations(rowCountMax: rowCount, columns: columns, formats: [format])
            for count in set == .scalar ? [1, 7, 12] : Array(1...rowCount) {
                context.load(x, rows: count, into: activations)
                let found = context.product(matrix, activations)
                guard let difference = difference(found, expected[..<(count * matrixRows)]) else { continue }
                Issue.record("\(set), \(threadCount) threads, \(count) rows: \(difference)")
                return
            }
        }
    }

    /// Large shapes, batch sizes, thread counts, one to three matrices in an operation, stored and added.
    @Test(arguments: TensorFormat.allCases) func randomLargeShapes(_ format: TensorFormat) throws {
        var random = RandomSource(seed: UInt64(format.rawValue) + 400)
        let oracle = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        for round in 0..<3 {
            let units = Int.random(in: format.blockElementCount == 256 ? 2...10 : 10...90, using: &random)
            let columns = format.columns(units)
            let rowCount = Int.random(in: round == 0 ? 1...7 : 8...64, using: &random)
            // The oracle's time is bounded: 16 million products.
            let sizes = (0...round).map { _ in
                Int.random(in: 1...max(1, min(900, 16_000_000 / columns / rowCount / (round + 1))), using: &random)
            }
            let matrices = try sizes.map { size in
                try oracle.pack(
                    random.matrixBytes(format, rows: size, columns: columns), format, rows: size, columns: columns)
            }
            let x = random.activations(rowCount * columns)
            let old = round == 1 ? random.values(rowCount * sizes.reduce(0, +)) : nil
            let expected = try Self.products(oracle, matrices, x, rows: rowCount, addingTo: old)
            for set in vectorSets {
                let threadCount = Int.random(in: 1...4, using: &random)
                let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
                let found = try Self.products(context, matrices, x, rows: rowCount, addingTo: old)
                #expect(
                    difference(found, expected) == nil,
                    "\(set), \(threadCount) threads, \(sizes) x \(columns), \(rowCount) rows, adds: \(old != nil)")
            }
        }
    }

    /// Up to three products in one operation, side by side: [row][matrix, row of it].
    private static func products(
        _ context: ComputeContext, _ matrices: [PackedMatrix], _ x: [Float], rows: Int, addingTo old: [Float]?
    ) throws -> [Float] {
        let columns = matrices[0].columns
        let activations = try context.makeActivations(
            rowCountMax: rows, columns: columns, formats: matrices.map(\.format))
        context.load(x, rows: rows, into: activations)
        let width = matrices.reduce(0) { $0 + $1.rows }
        var output = old ?? [Float](repeating: .nan, count: rows * width)
        output.withUnsafeMutableBufferPointer { output in
            guard var base = output.baseAddress else { return }
            let products = matrices.map { matrix in
                defer { base += matrix.rows }
                return Product(matrix, into: base, stride: width)
            }
            context.multiply(
                activations, products[0], products.count > 1 ? products[1] : nil,
                products.count > 2 ? products[2] : nil, epilogue: old == nil ? .store : .add)
        }
        return output
    }
}
