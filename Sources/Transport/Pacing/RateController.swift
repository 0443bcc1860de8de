/// Finds the rate at which a link is full and its queue nearly empty, from how much longer than at best a round trip
/// takes: the queue's delay grows by what is sent beyond the link's rate.
///
/// A proportional and an integral part hold the delay at a target of some milliseconds. Both are scaled by the target, so
/// that they fit any link.
package struct RateController: Sendable {
    /// Of the queue, in seconds: enough never to run dry, little for those who wait in it.
    package static let targetDelay = 0.002
    private static let rateMin = 64e3
    private static let rateMax = 100e9
    private static let startRate = 8e6
    /// The delay's time constant is target / gain = 40 ms, four samples; the integral part is damped critically.
    private static let proportionalGain = 0.05
    private static let integralGain = proportionalGain * proportionalGain / (4 * targetDelay)
    /// Beyond this many targets the link has become slower: no small steps then.
    private static let alarmTargets = 4.0

    package init() {}

    /// Bytes a second.
    package private(set) var rate = startRate
    private var base = startRate
    /// Doubles until the queue shows.
    package private(set) var isStarting = true
    package private(set) var delay = 0.0

    /// - Parameters:
    ///   - delay: of the queue, in seconds.
    ///   - elapsed: since the last sample, in seconds.
    ///   - deliveredRate: bytes a second that arrived in that time.
    package mutating func sample(delay: Double, elapsed: Double, deliveredRate: Double) {
        self.delay = delay
        if isStarting {
            guard delay > Self.targetDelay / 2 else {
                // Only while what is allowed is used: else it would grow without meaning anything.
                if deliveredRate > 0.5 * rate { set(base: base * 1.5, rate: base * 1.5) }
                return
            }
            isStarting = false
            set(base: deliveredRate, rate: deliveredRate)
            return
        }
        if delay > Self.alarmTargets * Self.targetDelay, deliveredRate > 0 {
            return set(base: min(base, deliveredRate), rate: 0.7 * min(base, deliveredRate))
        }
        let error = max(-Self.alarmTargets, (Self.targetDelay - delay) / Self.targetDelay)
        // A sender that has little to send must not make the rate grow.
        let isUsed = deliveredRate > 0.8 * rate
        let grown = error > 0 && !isUsed ? base : base * (1 + Self.integralGain * error * min(elapsed, 0.1))
        // The link is empty though all is used: it has become faster.
        if isUsed, delay < Self.targetDelay / 8, deliveredRate > 0.95 * rate {
            set(base: grown * 1.01, rate: grown * (1.01 + Self.proportionalGain * error))
        } else {
            set(base: grown, rate: grown * (1 + Self.proportionalGain * error))
        }
    }

    private mutating func set(base: Double, rate: Double) {
        self.base = min(max(base, Self.rateMin), Self.rateMax)
        self.rate = min(max(rate, Self.rateMin), Self.rateMax)
    }
}
