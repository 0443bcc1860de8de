import CKernels
import Foundation
import Glibc
import Synchronization
import Tensors
import Testing

/// Our functions against the C library's, which values never come from.
@Suite struct NumericsTests {
    @Test func theDocumentIsOfThisRevision() throws {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/numerics.md"), encoding: .utf8)
        #expect(text.hasPrefix("# Numerics, revision \(Numerics.revision)\n"))
    }

    /// Every float from -0 to below the last that is not 0: the error of the scalar function, and that the other sets
    /// give its bits.
    @Test func expIsWithinTwoUlpAndTheSameEverywhere() throws {
        let context = try ComputeContext(threadCount: 2)
        let (scalar, others) = (try kernels(.scalar), try vectorSets.map { ($0, try kernels($0)) })
        let patterns = Float(-0.0).bitPattern...Float(-87.4).bitPattern
        let tileLength = 1 << 16
        let faults = Mutex<[String]>([])
        context.parallel(tileCount: (patterns.count + tileLength - 1) / tileLength) { tile in
            let first = patterns.lowerBound + UInt32(tile * tileLength)
            let count = min(tileLength, Int(patterns.upperBound - first) + 1)
            let x = (0..<UInt32(count)).map { Float(bitPattern: first + $0) }
            var (expected, found) = (x, x)
            scalar.exponentiate(x, Int64(count), &expected)
            var worst = 0.0
            // Below -87 results near the end of the normal range are 0 or have an error of more of their ulp.
            for (x, value) in zip(x, expected) where x >= -87 { worst = max(worst, Self.expError(x, value)) }
            if !(worst <= 2) { faults.withLock { $0.append("\(worst) ulp from \(x[0]) on") } }
            for (set, table) in others {
                table.exponentiate(x, Int64(count), &found)
                let isSame = expected.withUnsafeBytes { expected in
                    found.withUnsafeBytes { memcmp(expected.baseAddress!, $0.baseAddress!, 4 * count) == 0 }
                }
                if !isSame { faults.withLock { $0.append("\(set) differs from \(x[0]) on") } }
            }
        }
        let found = faults.withLock { $0.prefix(10) }
        #expect(found.isEmpty)
    }

    @Test func expOfPositiveValuesIsWithinTwoUlp() {
        var positive: Float = 0
        while positive < 88.7 {
            #expect(Self.expError(positive, Numerics.exp(positive)) <= 2)
            positive += 0.0137
        }
    }

    private static func expError(_ x: Float, _ value: Float) -> Double {
        let exact = Glibc.exp(Double(x))
        let error = abs(Double(value) - exact) / Double(Float(exact).ulp)
        return error.isNaN ? .infinity : error
    }

    @Test func expAtTheEnds() {
        #expect(Numerics.exp(Float(0)) == 1)
        #expect(Numerics.exp(Float(-0.0)) == 1)
        #expect(Numerics.exp(Float(-87.34)) == 0)
        #expect(Numerics.exp(-Float.infinity) == 0)
        #expect(Numerics.exp(Float(88.8)) == .infinity)
        #expect(Numerics.exp(Float.infinity) == .infinity)
        #expect(Numerics.exp(Float.nan).isNaN)
        #expect(Numerics.exp(Float(-87.33)) > Float.leastNormalMagnitude)
        #expect(Numerics.exp(Float(88.7228)).isFinite)
    }

    @Test func silu() {
        for i in -400...400 {
            let x = Float(i) / 4
            let exact = Double(x) / (1 + Glibc.exp(-Double(x)))
            #expect(abs(Double(Numerics.silu(x)) - exact) <= abs(exact) * 4e-7 + 1e-36)
        }
        #expect(Numerics.silu(-Float.greatestFiniteMagnitude) == 0)
        #expect(Numerics.silu(Float.nan).isNaN)
    }

    @Test func float64Functions() {
        var random = RandomSource(seed: 30)
        for _ in 0..<20_000 {
            let x = Double.random(in: -700...700, using: &random)
            #expect(abs(Numerics.exp(x) / Glibc.exp(x) - 1) < 1e-15)
            let y = Glibc.exp(x)
            #expect(abs(Numerics.log(y) - Glibc.log(y)) <= 4e-16 * max(1, abs(x)))
            let angle = Double.random(in: -1_000_000...1_000_000, using: &random)
            var (s, c) = (0.0, 0.0)
            sl_sincos64(angle, &s, &c)
            #expect(abs(s - Glibc.sin(angle)) < 3e-16 && abs(c - Glibc.cos(angle)) < 3e-16)
        }
        for x in [1.0, 0x1p-1074, 0x1p-1022, 0x1.fffffffffffffp1023, 2, 0.5, 1 + 0x1p-52, 1 - 0x1p-53] {
            #expect(abs(Numerics.log(x) - Glibc.log(x)) <= 3e-16 * abs(Glibc.log(x)))
        }
        #expect(Numerics.log(0.0) == -.infinity && Numerics.log(Double.infinity) == .infinity)
        #expect(Numerics.log(-1.0).isNaN && Numerics.log(Double.nan).isNaN && Numerics.exp(Double.nan).isNaN)
        #expect(Numerics.log(Float(1)) == 0)
    }

    @Test func rotaryTables() throws {
        let factors = (0..<32).map { 1 + Float($0) / 8 }
        for (base, scale) in [(10_000.0, nil), (100_000.0, nil), (500_000.0, factors)] as [(Double, [Float]?)] {
            let table = try RotaryTable(
                rotaryDimension: 64, base: base, positionCount: 9000, pairing: .interleaved, frequencyFactors: scale)
            // A head that is 1 in the first of each pair becomes the cosines and sines themselves.
            let context = try ComputeContext(threadCount: 1)
            for position in [0, 1, 31, 2300, 8999] {
                var head = (0..<64).map { Float(1 - $0 % 2) }
                head.withUnsafeMutableBufferPointer {
                    context.rotate(
                        $0.baseAddress!, rows: 1, rowStride: 64, headCount: 1, headSize: 64,
                        positions: [Int32(position)], table: table)
                }
                for pair in 0..<32 {
                    let frequency = Glibc.pow(base, -2 * Double(pair) / 64) / Double(scale?[pair] ?? 1)
                    let angle = Double(position) * frequency
                    #expect(abs(Double(head[2 * pair]) - Glibc.cos(angle)) < 6e-8)
                    #expect(abs(Double(head[2 * pair + 1]) - Glibc.sin(angle)) < 6e-8)
                }
            }
        }
    }

    @Test func badRotaryTablesAreRefused() {
        func make(_ dimension: Int, _ base: Double, _ positions: Int, _ factors: [Float]?) throws {
            _ = try RotaryTable(
                rotaryDimension: dimension, base: base, positionCount: positions, pairing: .halves,
                frequencyFactors: factors)
        }
        #expect(throws: TensorError.self) { try make(63, 1e4, 10, nil) }
        #expect(throws: TensorError.self) { try make(64, -1, 10, nil) }
        #expect(throws: TensorError.self) { try make(64, .infinity, 10, nil) }
        #expect(throws: TensorError.self) { try make(64, 1e4, 0, nil) }
        #expect(throws: TensorError.self) { try make(64, 1e4, 10, [1, 2]) }
        #expect(throws: TensorError.self) { try make(4, 1e4, 10, [1, 0]) }
    }
}
