import ArgumentParser
import Distributed
import Foundation
import Memory
import Synchronization
import Transport

/// `shardline-bench-wire bulk`: throughput of large transfers, and activations' round trips meanwhile.
struct BulkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk",
        abstract: "Throughput of bulk, and round trips of activations while it runs, beside bare sockets.")

    @Option(help: "MiB of one transfer.")
    var mib = 64

    @Option(help: "Transfers in a round.")
    var count = 8

    @Option(help: "Rounds; in each, all ways take their turn.")
    var rounds = 7

    @Option(help: "Bytes of the activations whose round trips are measured meanwhile.")
    var bulk = 4096

    @Flag(help: "Encrypt, and compare with OpenSSL's own calls over a socket.")
    var tls = false

    @Option(help: "Only the ways whose names contain one of these words, for a profiler, and no round trips.")
    var ways: String?

    func validate() throws {
        guard (1...1024).contains(mib), count > 0, rounds > 0 else {
            throw ValidationError("--mib must be 1 to 1024, --count and --rounds 1 or more.")
        }
    }

    func run() async throws {
        let credentials = tls ? try BenchmarkCredentials() : nil
        let other = try OtherProcess(host: "127.0.0.1", credentials: credentials?.other)
        let arrivals = HopArrivals()
        let process = try await WireProcess(NodeName.own, credentials: credentials?.own) { _, _ in arrivals.arrive() }
        let bareTLS = try credentials.map { try BareTLSContext($0.own) }
        try await process.system.connect(host: "127.0.0.1", port: other.ports.system, expecting: NodeName.other)
        let remote = try WireActor.remote(NodeName.other, process.system)
        let piece = try BufferSlice(copying: [UInt8](repeating: 7, count: mib << 20))
        var paths: [any BulkPath] = try BareBulk.ways(
            host: "127.0.0.1", port: other.ports.bare, piece: piece, tls: bareTLS)
        paths.append(BulkTransfers(process: process, remote: remote, piece: piece))
        if let words = ways?.split(separator: ",") {
            paths.removeAll { path in !words.contains { path.name.contains($0) } }
        }
        var rates: [String: [Double]] = [:]
        var shares: [Double] = []
        // Of both ends together, which others on the machine disturb less than the time on the clock.
        var processorTimes: [String: Double] = [:]
        func processorTime() -> Double {
            ProcessorTime.seconds(of: getpid()) + ProcessorTime.seconds(of: other.processID)
        }
        for path in paths { _ = try await path.run { $0 >= 2 } }
        for _ in 0..<rounds {
            var bare = 0.0
            for path in paths {
                let begin = processorTime()
                let rate = try await path.run { [count] in $0 >= count }
                processorTimes[path.name, default: 0] += processorTime() - begin
                rates[path.name, default: []].append(rate)
                if path is BareBulk { bare = max(bare, rate) } else { shares.append(rate / bare) }
            }
        }
        print("Transfers of \(mib) MiB, two at a time\n")
        for path in paths {
            let byteCount = Double(rounds * count * piece.byteCount)
            print(
                String(
                    format: "- %@: %.2f GB/s, %.3f s of processor time a GB", path.name,
                    Figures.percentile(rates[path.name] ?? [], 0.5) / 1e9,
                    (processorTimes[path.name] ?? 0) / byteCount * 1e9))
        }
        let all = shares.sorted().map { String(format: "%.0f", 100 * $0) }.joined(separator: ", ")
        print("- shares of the best bare one, of each round: \(all) %\n")
        print(
            Requirement.text([
                Requirement(
                    what: "bulk transfers, median share of the best bare way's rate",
                    figure: 100 * Figures.percentile(shares, 0.5), limit: .atLeast(90), unit: " %")
            ]))
        if ways == nil { try await measureLatency(process, remote, arrivals, other, paths, bareTLS) }
        await process.end()
        other.end()
    }

    /// Round trips of activations alone and beside bulk, ours and bare.
    private func measureLatency(
        _ process: WireProcess, _ remote: WireActor, _ arrivals: HopArrivals, _ other: OtherProcess,
        _ paths: [any BulkPath], _ bareTLS: BareTLSContext?
    ) async throws {
        let hops = try HopEcho(process: process, remote: remote, arrivals: arrivals, bulkByteCount: bulk)
        let bare = try BareEcho(
            host: "127.0.0.1", port: other.ports.bare, style: .blocking, byteCount: 96 + bulk, tls: bareTLS)
        print("Round trips of \(bulk) bytes, one a millisecond\n")
        print("| way | alone, median us | p99 | beside bulk, median | p99 |\n|---|---:|---:|---:|---:|")
        let pairs: [(any EchoPath, any BulkPath)] = [(bare, paths[0]), (hops, paths[paths.count - 1])]
        for (echo, path) in pairs {
            let alone = try await echo.run(count: 300, pause: .milliseconds(1))
            let isOver = StopMark()
            async let rate = path.run { _ in isOver.value }
            let beside = try await echo.run(count: 600, pause: .milliseconds(1))
            isOver.set()
            _ = try await rate
            print(
                String(
                    format: "| %@ | %.0f | %.0f | %.0f | %.0f |", echo.name, Figures.percentile(alone, 0.5),
                    Figures.percentile(alone, 0.99), Figures.percentile(beside, 0.5),
                    Figures.percentile(beside, 0.99)))
        }
    }

    final class StopMark: Sendable {
        private let flag = Atomic<Bool>(false)
        var value: Bool { flag.load(ordering: .relaxed) }
        func set() { flag.store(true, ordering: .relaxed) }
    }
}
