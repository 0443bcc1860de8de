/// Nanoseconds since it was made.
struct Stopwatch: Sendable {
    private let start = ContinuousClock.now

    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    /// Looks at `shouldStop` every 50 ms.
    func wait(until moment: UInt64, unless shouldStop: () -> Bool) async {
        while !shouldStop() {
            let now = nanoseconds
            guard now < moment else { return }
            let next = start + .nanoseconds(Int64(min(moment, now + 50_000_000)))
            do { try await ContinuousClock().sleep(until: next, tolerance: .zero) } catch { return }
        }
    }
}
