import CKernels

/// The arithmetic that all nodes share; see docs/numerics.md.
public enum Numerics {
    /// Part of the name of everything whose bits depend on the arithmetic. Grows when any bit may change.
    public static let revision = 2

    /// e to the x: at most 2 ulp over [-87, 0], 0 below -87.33.
    public static func exp(_ x: Float) -> Float { sl_exp(x) }

    /// The same of `count` values; `y` may be `x`.
    public static func exp(_ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>) {
        kernels.pointee.exponentiate(x, Int64(count), y)
    }

    /// x / (1 + exp(-x))
    public static func silu(_ x: Float) -> Float { sl_silu(x) }

    /// Natural logarithm, computed in float64 and rounded once.
    public static func log(_ x: Float) -> Float { Float(sl_log64(Double(x))) }

    /// Natural logarithm in float64.
    public static func log(_ x: Double) -> Double { sl_log64(x) }

    /// e to the x in float64.
    public static func exp(_ x: Double) -> Double { sl_exp64(x) }

    /// Any set gives the same bits.
    nonisolated(unsafe) private static let kernels: UnsafePointer<sl_kernels> = {
        guard let kernels = sl_kernels_find(InstructionSet.best.kernelSet) else {
            preconditionFailure("the best instruction set is one that is available")
        }
        return kernels
    }()
}
