import Foundation

/// When each request of a plan is due, one after the other: nothing is kept, however many there are.
public struct ArrivalProcess: Sequence, IteratorProtocol, Sendable {
    private let plan: LoadPlan
    private var random: SplitMix64
    private var index = 0
    private var seconds = 0.0

    public init(plan: LoadPlan) {
        self.plan = plan
        random = RandomStream.arrivals.generator(seed: plan.seed)
    }

    /// In nanoseconds from the start, never falling; zero in a closed loop. Nil after the last.
    public mutating func next() -> UInt64? {
        if let count = plan.requestCountMax, index >= count { return nil }
        let arrival: UInt64
        switch plan.arrivals {
        case .closed: arrival = 0
        case .poisson(let rate):
            // The gaps of a Poisson process are exponentially distributed. The first request does not wait.
            if index > 0 { seconds += random.nextExponential() / rate }
            arrival = Self.nanoseconds(seconds * 1e9)
        case .trace:
            guard index < plan.trace.count else { return nil }
            arrival = Self.nanoseconds(Double(plan.trace[index].arrivalNanoseconds) * plan.timeScale)
        }
        if let end = plan.durationNanoseconds, arrival >= end { return nil }
        index += 1
        return arrival
    }

    private static func nanoseconds(_ value: Double) -> UInt64 { UInt64(Swift.min(value, 9e18)) }
}
