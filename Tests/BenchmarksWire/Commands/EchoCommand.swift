import ArgumentParser
import Distributed
import Memory
import Transport
import Wire

/// `shardline-bench-wire echo`: what a round trip of a frame, of a call and of two one-way messages costs.
struct EchoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Round trips of frames and actor calls between two processes, beside those of bare sockets.")

    @Option(help: "Bytes of bulk in each message.")
    var bulk = NumberList([0, 4096, 65536])

    @Option(help: "Rounds; in each, all ways take their turn.")
    var rounds = 20

    @Option(help: "Round trips of each way in a round.")
    var count = 500

    @Option(help: "Only the ways whose names contain one of these words, as in frames,bare.")
    var ways: String?

    @Option(help: "Microseconds for which both event loops look for events before they sleep, 0 to 20.")
    var busyPoll = 0

    @Flag(help: "Encrypt, and compare with OpenSSL's own calls over a socket.")
    var tls = false

    @Flag(help: "Count system calls with strace, in a run of their own.")
    var systemCalls = false

    /// Limits are asked for messages of this size.
    private static let askedByteCount = 4096

    func run() async throws {
        let credentials = tls ? try BenchmarkCredentials() : nil
        let other = try OtherProcess(
            host: "127.0.0.1", arguments: ["--busy-poll", "\(busyPoll)"], credentials: credentials?.other)
        let arrivals = HopArrivals()
        let process = try await WireProcess(
            NodeName.own, credentials: credentials?.own, busyPollMicroseconds: busyPoll
        ) { _, _ in arrivals.arrive() }
        let bareTLS = try credentials.map { try BareTLSContext($0.own) }
        let peer = try await process.system.connect(
            host: "127.0.0.1", port: other.ports.system, expecting: NodeName.other)
        let remote = try WireActor.remote(peer.node, process.system)
        for byteCount in bulk.values {
            let frameByteCount = FrameHeader.byteCount + WireProbe.controlByteCount + byteCount
            let bare = try BareChannel.Style.allCases.map {
                try BareEcho(
                    host: "127.0.0.1", port: other.ports.bare, style: $0, byteCount: frameByteCount,
                    tls: bareTLS)
            }
            let all: [any EchoPath] =
                bare + [
                    try await FrameEcho(port: other.ports.frames, process: process, bulkByteCount: byteCount),
                    try CallEcho(process: process, remote: remote, bulkByteCount: byteCount),
                    try HopEcho(process: process, remote: remote, arrivals: arrivals, bulkByteCount: byteCount),
                ]
            let paths = all.filter { path in
                ways?.split(separator: ",").contains { path.name.contains($0) } ?? true
            }
            var report = EchoReport(bulkByteCount: byteCount)
            if systemCalls {
                for path in paths {
                    report.count(
                        path.name, try await SystemCallCount.perRoundTrip(of: path, other: other.processID))
                }
                print(report.systemCallText)
                if !tls { print(Requirement.text(report.systemCallRequirements)) }
                continue
            }
            for path in paths { _ = try await path.run(count: count) }
            for _ in 0..<rounds {
                for path in paths {
                    report.add(path.name, try await path.run(count: count), isBare: path is BareEcho)
                }
                report.endRound()
            }
            print(report.text)
            if byteCount == Self.askedByteCount { print(Requirement.text(report.requirements)) }
        }
        await process.end()
        other.end()
    }
}
