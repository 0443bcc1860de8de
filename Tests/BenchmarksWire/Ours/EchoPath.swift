/// A way from here to the other process and back.
protocol EchoPath: AnyObject {
    var name: String { get }
    /// Microseconds of each of `count` round trips, one after another.
    func run(count: Int) async throws -> [Double]
}
