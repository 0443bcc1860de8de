import Foundation
import Memory
import ModelWriting
import Tensors
import Testing

@Suite struct BlockEncoderTests {
    /// Root of the mean square error of normal values, as a share of their standard deviation, that each format may
    /// have with simply chosen scales.
    private static func errorMax(_ format: TensorFormat) -> Double {
        switch format {
        case .f32: 0
        case .f16: 0.0003
        case .bf16: 0.002
        case .q8_0: 0.006
        case .q6_k: 0.02
        case .q5_0, .q5_1, .q5_k: 0.045
        case .q4_0, .q4_1, .q4_k, .iq4_nl: 0.09
        case .q3_k: 0.17
        case .q2_k: 0.35
        }
    }

    /// Encodes rows, packs them as a model is loaded, and gives their values back.
    private func roundTrip(_ values: [Float], rows: Int, _ format: TensorFormat) throws -> [Float] {
        let columns = values.count / rows
        var bytes = [UInt8](repeating: 0xEE, count: try #require(format.byteCount(rows: rows, columns: columns)))
        bytes.withUnsafeMutableBufferPointer { target in
            guard let base = target.baseAddress else { return }
            BlockEncoder(format).encode(values, count: values.count, into: base)
        }
        let context = try ComputeContext(threadCount: 1)
        let packed = try bytes.withUnsafeBytes { bytes throws(TensorError) in
            try context.pack(bytes, format: format, rows: rows, columns: columns)
        }
        var found = [Float](repeating: .nan, count: values.count)
        found.withUnsafeMutableBufferPointer { found in
            guard let base = found.baseAddress else { return }
            for row in 0..<rows { packed.dequantizeRow(row, into: base + row * columns) }
        }
        return found
    }

    @Test(arguments: TensorFormat.allCases)
    func valuesComeBack(_ format: TensorFormat) throws {
        let (rows, columns) = (5, 768)
        var values = [Float](repeating: 0, count: rows * columns)
        var source = NormalSource(seed: 7, stream: UInt64(format.rawValue))
        values.withUnsafeMutableBufferPointer { values in
            guard let base = values.baseAddress else { return }
            source.fill(base, count: rows * columns, spread: 0.02)
        }
        let found = try roundTrip(values, rows: rows, format)
        var (error, total) = (0.0, 0.0)
        for (value, back) in zip(values, found) {
            error += pow(Double(value - back), 2)
            total += pow(Double(value), 2)
        }
        #expect((error / total).squareRoot() <= Self.errorMax(format))
    }

    @Test(arguments: TensorFormat.allCases)
    func zerosStayZero(_ format: TensorFormat) throws {
        let found = try roundTrip(Array(repeating: 0, count: 512), rows: 2, format)
        #expect(found == Array(repeating: 0, count: 512))
    }

    @Test(arguments: TensorFormat.allCases)
    func oneSidedValuesKeepTheirSign(_ format: TensorFormat) throws {
        for sign: Float in [1, -1] {
            let values = (0..<512).map { sign * (1 + Float($0 % 7) / 7) }
            let found = try roundTrip(values, rows: 2, format)
            #expect(zip(values, found).allSatisfy { abs($0 - $1) <= 0.5 }, "\(format.name)")
        }
    }

    @Test func normalNumbersAreNormal() {
        let count = 1 << 16
        var values = [Float](repeating: 0, count: count)
        var source = NormalSource(seed: 1, stream: 3)
        values.withUnsafeMutableBufferPointer { values in
            guard let base = values.baseAddress else { return }
            source.fill(base, count: count, center: 2, spread: 0.5)
        }
        let mean = values.reduce(0) { $0 + Double($1) } / Double(count)
        let variance = values.reduce(0) { $0 + pow(Double($1) - mean, 2) } / Double(count)
        #expect(abs(mean - 2) < 0.01)
        #expect(abs(variance.squareRoot() - 0.5) < 0.01)
        let within = values.count { abs($0 - 2) < 0.5 }
        #expect(abs(Double(within) / Double(count) - 0.68) < 0.02)
    }
}
