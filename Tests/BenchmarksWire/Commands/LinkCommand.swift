import ArgumentParser
import Distributed
import Foundation
import Memory
import Synchronization
import Transport
import Vocabulary

/// `shardline-bench-wire link`: bulk and activations share a link of a known rate. tools/bench-wire makes the link.
struct LinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link",
        abstract: "Bulk and activations over one shaped link between two network namespaces.",
        discussion: "Run it by tools/bench-wire, as root: it makes the namespaces and the link, and removes them.")

    @Option(help: "Minutes of bulk.")
    var minutes = 10.0

    @Option(help: "MiB of one transfer; two are on their way at a time.")
    var mib = 16

    @Option(help: "Bytes of an activation.")
    var bulk = 4096

    @Option(help: "Milliseconds between two activations.")
    var every = 5

    @Option(help: "automatic, unlimited, or bytes a second.")
    var pacing = "automatic"

    @Option(help: "The link's rate in Mbit/s.")
    var megabits = 1000.0

    @Option(help: .hidden) var namespace = ""
    @Option(help: .hidden) var otherHost = "127.0.0.1"

    private func chosenPacing() throws -> BulkPacing {
        switch pacing {
        case "automatic": return .automatic
        case "unlimited": return .unlimited
        default:
            guard let rate = Int(pacing), rate > 0 else {
                throw ValidationError("--pacing is automatic, unlimited or a number of bytes a second.")
            }
            return .bytesPerSecond(rate)
        }
    }

    func validate() throws {
        _ = try chosenPacing()
        guard minutes > 0, (1...1024).contains(mib), bulk > 0, every > 0, megabits > 0 else {
            throw ValidationError("Minutes, sizes and rates must be above 0, --mib at most 1024.")
        }
    }

    func run() async throws {
        let prefix = namespace.isEmpty ? [] : ["ip", "netns", "exec", namespace]
        let other = try OtherProcess(prefix: prefix, host: otherHost, arguments: ["--strict-heartbeat"])
        let arrivals = HopArrivals()
        let lostCount = Counter()
        let pacing = try chosenPacing()
        let process = try await WireProcess(
            NodeName.own,
            change: { options in
                options.bulkPacing = pacing
                WireProcess.makeHeartbeatStrict(&options)
            }, onEvent: { if case .lost = $0 { lostCount.add(1) } }
        ) { _, _ in arrivals.arrive() }
        try await process.system.connect(host: otherHost, port: other.ports.system, expecting: NodeName.other)
        let remote = try WireActor.remote(NodeName.other, process.system)
        let hops = try HopEcho(process: process, remote: remote, arrivals: arrivals, bulkByteCount: bulk)
        let pause = Duration.milliseconds(every)
        let piece = try BufferSlice(copying: [UInt8](repeating: 7, count: mib << 20))
        let transfers = BulkTransfers(process: process, remote: remote, piece: piece)
        // The other end makes its landing places at the first.
        _ = try await transfers.run { $0 >= 1 }
        let bareRate = try await bareRate(piece, port: other.ports.bare)
        try await Task.sleep(for: .seconds(2))
        let alone = try await hops.run(count: 5000 / every, pause: pause)
        let isOver = BulkCommand.StopMark()
        let sent = Counter()
        let begin = EventLoop.now
        async let rate = transfers.run { count in
            sent.set(count)
            return isOver.value
        }
        var beside: [Double] = []
        var early: [Double] = []
        var lastSent = 0
        let end = begin + .milliseconds(UInt64(minutes * 60_000))
        var lastReport = begin
        while EventLoop.now < end {
            let some = try await hops.run(count: 1000 / every, pause: pause)
            // The first second, in which the rate is found, is told apart.
            if early.isEmpty { early = some } else { beside += some }
            guard (EventLoop.now - lastReport).seconds >= 10 else { continue }
            let span = (EventLoop.now - lastReport).seconds
            let state = await process.system.bulkPacing(of: NodeName.other)
            let megabytes = Double((sent.value - lastSent) * mib) * 1.048576 / span
            (lastSent, lastReport) = (sent.value, EventLoop.now)
            report(
                String(
                    format: "%4.0f s: %.1f MB/s; allowed %.1f MB/s, queue %.2f ms; round trip %.2f ms",
                    (EventLoop.now - begin).seconds, megabytes, (state?.rate ?? .nan) / 1e6,
                    (state?.delay ?? .nan) * 1e3, Figures.percentile(Array(beside.suffix(1000)), 0.5) / 1e3))
        }
        isOver.set()
        let payloadRate = try await rate
        print("A link of \(Int(megabits)) Mbit/s, \(minutes) minutes of bulk, pacing \(self.pacing)\n")
        print(
            String(
                format: "- bulk: %.2f MB/s of payload, %.2f %% of the link", payloadRate / 1e6,
                100 * payloadRate * 8 / (megabits * 1e6)))
        print(
            String(
                format: "- a bare socket, alone for some seconds before: %.2f MB/s, %.2f %%", bareRate / 1e6,
                100 * bareRate * 8 / (megabits * 1e6)))
        describe("alone", alone)
        describe("beside bulk, first second", early)
        describe("beside bulk", beside)
        let grown = [0.5, 0.99].map { (Figures.percentile(beside, $0) - Figures.percentile(alone, $0)) / 1e3 }
        print(String(format: "- grown by %.2f ms (median), %.2f ms (p99)", grown[0], grown[1]))
        print("- peers lost for a missed heartbeat: \(lostCount.value)")
        await process.end()
        other.end()
    }

    /// What the link and this machine give at best just now.
    private func bareRate(_ piece: BufferSlice, port: Int) async throws -> Double {
        let bare = try BareBulk(host: otherHost, port: port, piece: piece, atOnce: 256 << 10)
        let end = EventLoop.now + .seconds(5)
        return try await bare.run { _ in EventLoop.now >= end }
    }

    private func report(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    private func describe(_ name: String, _ samples: [Double]) {
        print(
            String(
                format: "- round trips of %d bytes, %@: median %.2f ms, p99 %.2f ms, longest %.2f ms (%d)", bulk, name,
                Figures.percentile(samples, 0.5) / 1e3, Figures.percentile(samples, 0.99) / 1e3,
                (samples.max() ?? .nan) / 1e3, samples.count))
    }

    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add(_ number: Int) { count.wrappingAdd(number, ordering: .relaxed) }
        func set(_ number: Int) { count.store(number, ordering: .relaxed) }
    }
}
