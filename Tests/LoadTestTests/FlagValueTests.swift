import LoadTest
import Testing

@Suite struct FlagValueTests {
    @Test(arguments: [
        ("90s", UInt64(90_000_000_000)), ("1.5m", 90_000_000_000), ("250ms", 250_000_000), ("2", 2_000_000_000),
        ("1h", 3_600_000_000_000), ("0", 0), ("10min", 600_000_000_000),
    ])
    func durationsAreRead(text: String, nanoseconds: UInt64) {
        #expect(LoadDuration(text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: ["", "s", "-1s", "1d", "nan", "inf", "1e9", "1.2.3s", "9000h", "10 s", "٣s"])
    func otherDurationsAreRefused(text: String) { #expect(LoadDuration(text) == nil) }

    @Test(arguments: [("4", 4.0), ("4/s", 4), ("90/min", 1.5), ("90/m", 1.5), ("1800/h", 0.5), ("inf", .infinity)])
    func ratesAreRead(text: String, perSecond: Double) { #expect(RequestRate(text)?.perSecond == perSecond) }

    @Test(arguments: ["", "0", "-1", "nan", "4/", "4/d", "/s", "4/s/s", "four"])
    func otherRatesAreRefused(text: String) { #expect(RequestRate(text) == nil) }

    @Test func injectionsAreRead() {
        #expect(
            PromptInjection("4096@10s")
                == PromptInjection(promptTokenCount: 4096, momentNanoseconds: 10_000_000_000))
        for text in ["", "4096", "@10s", "4096@", "0@1s", "-5@1s", "1@2@3", "5000000@1s", "x@1s"] {
            #expect(PromptInjection(text) == nil, "\(text)")
        }
    }

    @Test func descriptorsAreNamedWithTheFix() {
        let limit = DescriptorLimit(softLimit: 256, hardLimit: 256)
        #expect(limit.refusal(connectionCount: 192, flag: "--x") == nil)
        #expect(limit.refusal(connectionCount: 1000, flag: "--x")?.contains("ulimit -n 1064") == true)
        #expect(limit.availableConnectionCount == 192)
        let wide = DescriptorLimit(softLimit: 1 << 20, hardLimit: 1 << 20)
        #expect(wide.refusal(connectionCount: 20_000, flag: "--x") == nil)
        #expect(wide.refusal(connectionCount: 20_001, flag: "--x")?.contains("--x may be at most 20000") == true)
        #expect(DescriptorLimit(softLimit: 10, hardLimit: 10).availableConnectionCount == 1)
        #expect(DescriptorLimit.raised().softLimit > 0)
    }
}
