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

    @Flag(help: "Encrypt.")
    var tls = false

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
        let credentials = tls ? try BenchmarkCredentials() : nil
        let other = try OtherProcess(
            prefix: prefix, host: otherHost, arguments: ["--strict-heartbeat"], credentials: credentials?.other)
        let arrivals = HopArrivals()
        let lostCount = Counter()
        let pacing = try chosenPacing()
        let process = try await WireProcess(
            NodeName.own, credentials: credentials?.own,
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
        var result = LinkReport(megabits: megabits)
        result.bareRate = try await bareRate(
            piece, port: other.ports.bare, tls: try credentials.map { try BareTLSContext($0.own) })
        try await Task.sleep(for: .seconds(2))
        result.alone = try await hops.run(count: 5000 / every, pause: pause)
        try await measureBeside(process, hops, transfers, &result)
        result.lostCount = lostCount.value
        print("A link of \(Int(megabits)) Mbit/s, \(minutes) minutes of bulk, pacing \(self.pacing), TLS \(tls)\n")
        print(result.text)
        print(Requirement.text(result.requirements))
        await process.end()
        other.end()
    }

    /// Round trips while bulk runs, and how much of that gets through.
    private func measureBeside(
        _ process: WireProcess, _ hops: HopEcho, _ transfers: BulkTransfers, _ result: inout LinkReport
    ) async throws {
        let isOver = BulkCommand.StopMark()
        let sent = Counter()
        let begin = EventLoop.now
        async let rate = transfers.run { count in
            sent.set(count)
            return isOver.value
        }
        var lastSent = 0
        let end = begin + .milliseconds(UInt64(minutes * 60_000))
        var lastReport = begin
        while EventLoop.now < end {
            let some = try await hops.run(count: 1000 / every, pause: .milliseconds(every))
            if result.early.isEmpty { result.early = some } else { result.beside += some }
            guard (EventLoop.now - lastReport).seconds >= 10 else { continue }
            let span = (EventLoop.now - lastReport).seconds
            let state = await process.system.bulkPacing(of: NodeName.other)
            let megabytes = Double((sent.value - lastSent) * mib) * 1.048576 / span
            (lastSent, lastReport) = (sent.value, EventLoop.now)
            report(
                String(
                    format: "%4.0f s: %.1f MB/s; allowed %.1f MB/s, queue %.2f ms; round trip %.2f ms",
                    (EventLoop.now - begin).seconds, megabytes, (state?.rate ?? .nan) / 1e6,
                    (state?.delay ?? .nan) * 1e3, Figures.percentile(Array(result.beside.suffix(1000)), 0.5) / 1e3))
        }
        isOver.set()
        result.payloadRate = try await rate
    }

    /// What the link and this machine give at best just now.
    private func bareRate(_ piece: BufferSlice, port: Int, tls: BareTLSContext?) async throws -> Double {
        let bare = try BareBulk(
            host: otherHost, port: port, piece: piece, atOnce: 256 << 10, tls: tls, readsAhead: tls != nil)
        let end = EventLoop.now + .seconds(5)
        return try await bare.run { _ in EventLoop.now >= end }
    }

    private func report(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add(_ number: Int) { count.wrappingAdd(number, ordering: .relaxed) }
        func set(_ number: Int) { count.store(number, ordering: .relaxed) }
    }
}
