import ArgumentParser
import Distributed
import Foundation
import Memory
import Transport
import Vocabulary

/// `shardline-bench-wire peer`: the other end of every measurement.
struct PeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peer", shouldDisplay: false)

    @Option var host = "127.0.0.1"

    @Option var busyPoll = 0

    @Flag var strictHeartbeat = false

    @Flag var tls = false

    func run() async throws {
        let credentials = tls ? try BenchmarkCredentials.read(FileHandle.standardInput) : nil
        let process = try await WireProcess(
            NodeName.other, credentials: credentials, busyPollMicroseconds: busyPoll,
            change: { if strictHeartbeat { WireProcess.makeHeartbeatStrict(&$0) } }, landing: BulkLandingPlaces()
        ) { probe, system in
            guard let sender = ClusterActorSystem.sender else { return }
            try await WireActor.remote(sender.node, system).hop(probe)
        }
        let ports = OtherProcess.Ports(
            frames: try FrameServer.start(host: host, process: process),
            system: try process.system.listen(host: host, port: 0),
            bare: try BareServer.start(host: host, tls: try credentials.map { try BareTLSContext($0) }))
        FileHandle.standardOutput.write(try JSONEncoder().encode(ports) + Data("\n".utf8))
        try await BlockingWork.run { _ = try FileHandle.standardInput.readToEnd() }
        await process.end()
    }
}

enum NodeName {
    static let own = NodeID("bench") ?? .coordinator
    static let other = NodeID("peer") ?? .coordinator
}
