/// A way from here to the other process and back.
protocol EchoPath: AnyObject, Sendable {
    var name: String { get }
    /// Microseconds of each of `count` round trips, one after another.
    ///
    /// - Parameter pause: between two of them; nil for none.
    func run(count: Int, pause: Duration?) async throws -> [Double]
}

extension EchoPath {
    func run(count: Int) async throws -> [Double] { try await run(count: count, pause: nil) }
}
