/// Why something cannot be measured; the message names the thing and the fix.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
