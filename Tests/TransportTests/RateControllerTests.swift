import Testing
import Transport

/// The controller on a link of arithmetic: a rate and a queue.
@Suite struct RateControllerTests {
    private struct Link {
        var rate: Double
        /// Bytes.
        var queue = 0.0
        /// What was measured is told a sample later.
        private var measured = 0.0
        private(set) var deliveredSum = 0.0

        init(rate: Double) { self.rate = rate }

        var delay: Double { queue / rate }

        /// Sends for 10 ms as fast as the controller lets it, but at most `offered`.
        mutating func step(_ controller: inout RateController, offered: Double = .infinity, noise: Double = 0) {
            let span = 0.01
            let sent = min(controller.rate, offered) * span
            let delivered = min(queue + sent, rate * span)
            queue += sent - delivered
            deliveredSum += delivered
            controller.sample(delay: measured + noise, elapsed: span, deliveredRate: delivered / span)
            measured = delay
        }
    }

    @Test(arguments: [1e6, 12.5e6, 125e6, 1.25e9, 12.5e9]) func fillsALinkAndNotItsQueue(rate: Double) {
        var controller = RateController()
        var link = Link(rate: rate)
        // It begins above slow links, and must come down.
        for _ in 0..<1000 { link.step(&controller) }
        let before = link.deliveredSum
        var longest = 0.0
        for _ in 0..<3000 {
            link.step(&controller)
            longest = max(longest, link.delay)
        }
        #expect(link.deliveredSum - before > 0.99 * rate * 30)
        #expect(longest < 1.5 * RateController.targetDelay, "\(longest) s of queue at \(rate) bytes a second")
    }

    @Test func followsALinkThatBecomesSlowerAndFasterAgain() {
        var controller = RateController()
        var link = Link(rate: 125e6)
        for _ in 0..<1000 { link.step(&controller) }
        link.rate = 12.5e6
        for _ in 0..<100 { link.step(&controller) }
        var longest = 0.0
        for _ in 0..<1000 {
            link.step(&controller)
            longest = max(longest, link.delay)
        }
        #expect(longest < 3 * RateController.targetDelay)
        link.rate = 125e6
        for _ in 0..<2000 { link.step(&controller) }
        let before = link.deliveredSum
        for _ in 0..<1000 { link.step(&controller) }
        #expect(link.deliveredSum - before > 0.98 * 125e6 * 10)
    }

    @Test func whoSendsLittleLearnsNothing() {
        var controller = RateController()
        var link = Link(rate: 125e6)
        for _ in 0..<1000 { link.step(&controller) }
        let rate = controller.rate
        for _ in 0..<10_000 { link.step(&controller, offered: 1e6) }
        #expect(controller.rate < 1.2 * rate)
        // And what comes then does not fill the queue.
        var longest = 0.0
        for _ in 0..<500 {
            link.step(&controller)
            longest = max(longest, link.delay)
        }
        #expect(longest < 4 * RateController.targetDelay)
    }
}
