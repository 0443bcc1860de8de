import Synchronization

/// A count that only grows, such as `shardline_prompt_tokens_total`. Any thread may use it.
public final class MetricCounter: Sendable {
    private let total = AtomicDouble()

    init() {}

    public var value: Double { total.value }

    public func increment(by amount: Int = 1) { increment(by: Double(amount)) }

    /// Amounts that are not positive and finite are ignored: a counter never falls.
    public func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        total.update { $0 + amount }
    }

    /// Back to zero, as after a start of the process.
    public func reset() { total.update { _ in 0 } }
}

/// A value that goes up and down, such as `shardline_num_requests_running`. Any thread may use it.
public final class MetricGauge: Sendable {
    private let current = AtomicDouble()

    init() {}

    public var value: Double { current.value }
    public func set(_ value: Double) { current.update { _ in value } }
    public func set(_ value: Int) { set(Double(value)) }
    public func add(_ amount: Double) { current.update { $0 + amount } }
}

/// How often a value fell into each of a fixed list of ranges, such as `shardline_time_to_first_token_seconds`.
/// Any thread may use it.
public final class MetricHistogram: Sendable {
    package struct Snapshot: Sendable {
        /// One more than there are bounds: the last counts what lies above all of them.
        package var counts: [UInt64]
        package var sum: Double = 0
        package var count: UInt64 = 0
    }

    /// Upper bounds, each included in its range, ascending.
    public let bounds: [Double]
    private let state: Mutex<Snapshot>

    init(bounds: [Double]) {
        let finite = Set(bounds.filter(\.isFinite)).sorted()
        self.bounds = finite
        self.state = Mutex(Snapshot(counts: [UInt64](repeating: 0, count: finite.count + 1)))
    }

    package var snapshot: Snapshot { state.withLock { $0 } }

    /// Values that are not a number are ignored.
    public func record(_ value: Double) {
        guard !value.isNaN else { return }
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        state.withLock { state in
            state.counts[low] += 1
            state.sum += value
            state.count += 1
        }
    }

    public func record(nanoseconds: UInt64) { record(Double(nanoseconds) / 1e9) }

    /// For times in seconds: 1-2.5-5 steps from 0.1 ms to 500 s.
    public static let secondsBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100,
        250, 500,
    ]

    /// For counts and sizes: powers of four from 1 to 4^15.
    public static let countBounds: [Double] = (0...15).map { Double(UInt64(1) << (2 * UInt64($0))) }
}

/// A double that threads change without a lock.
private final class AtomicDouble: Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func update(_ change: (Double) -> Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = change(Double(bitPattern: old)).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
