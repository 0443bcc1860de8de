import CKernels
import CPlatform
import Memory

/// Measures what a node's threads give, for placing layers.
public enum MachineProbe {
    /// About a tenth of a second.
    ///
    /// - Returns: bytes read from memory a second, and multiply-adds of 4-bit weights a second in a prompt, over all
    ///   threads of the context; 0 for what could not be measured.
    public static func measure(
        _ context: ComputeContext
    ) -> (readBytesPerSecond: Double, multiplyAddsPerSecond: Double) {
        (readRate(context), multiplyAddRate(context))
    }

    private static func readRate(_ context: ComputeContext) -> Double {
        // Larger than most shared caches' share of one process; zero-filled, so that every page is there.
        let byteCount = 64 << 20
        let pieceByteCount = 1 << 20
        guard let buffer = try? AlignedBuffer(byteCount: byteCount, hugePages: true) else { return 0 }
        let base = UnsafeMutableRawPointer(buffer.base)
        context.parallel(tileCount: byteCount / pieceByteCount) { piece in
            (base + piece * pieceByteCount).initializeMemory(as: UInt8.self, repeating: 1, count: pieceByteCount)
        }
        var best = 0.0
        let started = sl_thread_nanoseconds()
        // Part by part, each shorter than a time slice: nodes that start together on one host take turns on its cores,
        // and the best part is one that nobody interrupted.
        let partByteCount = byteCount / 8
        var part = 0
        repeat {
            let start = base + part * partByteCount
            let partStarted = sl_thread_nanoseconds()
            context.parallel(tileCount: partByteCount / pieceByteCount) { piece in
                keep(sl_probe_read(start + piece * pieceByteCount, pieceByteCount))
            }
            best = max(best, Double(partByteCount) * 1e9 / Double(max(1, sl_thread_nanoseconds() - partStarted)))
            part = (part + 1) % 8
        } while sl_thread_nanoseconds() - started < 40_000_000
        withExtendedLifetime(buffer) {}
        return best
    }

    private static func multiplyAddRate(_ context: ComputeContext) -> Double {
        let rows = 768
        let columns = 512
        let rowCount = 48
        let bytes = [UInt8](repeating: 0x11, count: TensorFormat.q4_0.byteCount(rows: rows, columns: columns) ?? 0)
        let input = (0..<rowCount * columns).map { Float($0 % 97) - 48 }
        guard
            let matrix = try? bytes.withUnsafeBytes({ bytes throws(TensorError) in
                try context.pack(bytes, format: .q4_0, rows: rows, columns: columns)
            }),
            let activations = try? context.makeActivations(rowCountMax: rowCount, columns: columns, formats: [.q4_0]),
            let output = try? AlignedBuffer(byteCount: rowCount * rows * MemoryLayout<Float>.size)
        else { return 0 }
        context.load(input, rows: rowCount, into: activations)
        let product = Product(matrix, into: output.pointer(to: Float.self), stride: rows)
        var best = 0.0
        let started = sl_thread_nanoseconds()
        repeat {
            let passStarted = sl_thread_nanoseconds()
            context.multiply(activations, product)
            let nanoseconds = Double(max(1, sl_thread_nanoseconds() - passStarted))
            best = max(best, Double(rows * columns * rowCount) * 1e9 / nanoseconds)
        } while sl_thread_nanoseconds() - started < 40_000_000
        return best
    }

    /// Keeps the optimiser from dropping a read whose result nobody uses.
    @inline(never)
    @_optimize(none)
    private static func keep(_ value: UInt64) {}
}
