import Foundation
import Testing

/// Real processes over real sockets: how nodes come into a cluster, stay in it and are put out.
@Suite(.serialized, .enabled(if: LocalCluster.isPossible, "set SHARDLINE_BIN and SHARDLINE_MODEL, or run tools/test"))
struct EnrolmentTests {
    @Test func aNodeEnrolsOnceAndReturnsWithoutAToken() throws {
        let cluster = try TestCluster()
        let coordinator = try cluster.startCoordinator()
        let token = try cluster.token()
        try cluster.writeSecret(token + "\n", to: "token")
        var node = try cluster.startNode("a", ["--join-token-file", "token"])
        try node.wait(for: "joined the cluster as 'a'")
        #expect(try cluster.connectedNodes() == ["a"])
        // The key is the node's alone, and the token's secret is nowhere but in the token.
        let mode = try FileManager.default.attributesOfItem(atPath: cluster.file("a/credentials.pem").path)
        #expect((mode[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let secret = try #require(token.split(separator: ".").dropFirst(2).first)
        for text in [
            node.text, coordinator.text, try String(contentsOf: cluster.file("coordinator/registry"), encoding: .utf8),
        ] {
            #expect(!text.contains(secret) && !text.contains("PRIVATE KEY"))
        }

        // Another node is refused with the same token, and so is one without any.
        let second = try cluster.startNode("b", ["--join-token-file", "token"])
        #expect(try second.waitForEnd() == 1)
        #expect(second.text.contains("used up") && second.text.contains("token create"), "\(second.text)")
        #expect(coordinator.text.contains("refused to enrol 'b' from 127.0.0.1"))
        let third = try cluster.startNode("c")
        #expect(try third.waitForEnd() == 78)
        #expect(third.text.contains("shardline token create") && third.text.contains("--join-token-file"))

        // It comes back without a token; one that lies there still is in nobody's way; another name is refused.
        try node.stop()
        node = try cluster.startNode("a")
        try node.wait(for: "joined the cluster as 'a'")
        let twice = try cluster.startNode("a")
        #expect(try twice.waitForEnd() == 78)
        #expect(twice.text.contains("in use by another node"), "\(twice.text)")
        try node.stop()
        node = try cluster.startNode("a", ["--join-token-file", "token"])
        try node.wait(for: "joined the cluster as 'a'")
        #expect(node.text.contains("join token is not used"))
        try node.stop()
        let renamed = try cluster.start(
            "shardline-node",
            ["--coordinator", "127.0.0.1:\(cluster.port)", "--name", "b", "--data-directory", "a", "--threads", "1"],
            name: "renamed")
        #expect(try renamed.waitForEnd() == 78)
        #expect(renamed.text.contains("node 'a', but --name says 'b'"), "\(renamed.text)")

        // The coordinator too finds itself again.
        try coordinator.stop()
        try cluster.startCoordinator()
        node = try cluster.startNode("a")
        try node.wait(for: "joined the cluster as 'a'")
    }

    @Test func badTokensAreNamed() throws {
        let cluster = try TestCluster()
        let coordinator = try cluster.startCoordinator()
        let token = try cluster.token()
        let cases = [
            ("open", token, 0o644, "chmod 600"), ("words", "hello", 0o600, "words: this is no join token"),
            ("cut", String(token.dropLast(2)), 0o600, "cut: this is no join token: its fingerprint"),
        ]
        for (name, text, mode, words) in cases {
            try cluster.writeSecret(text, to: name, mode: mode)
            let node = try cluster.startNode("n-\(name)", ["--join-token-file", name])
            #expect(try node.waitForEnd() == 78)
            #expect(node.text.contains(words), "\(node.text)")
        }
        let absent = try cluster.startNode("n", ["--join-token-file", "absent"])
        #expect(try absent.waitForEnd() == 78)
        #expect(absent.text.contains("absent: no such file"))

        // A coordinator that is not the token's gets no secret: it is not asked.
        let digits = String(repeating: "0", count: 64)
        let stranger = try cluster.startNode(
            "n", environment: ["SHARDLINE_JOIN_TOKEN": String(token.dropLast(64)) + digits])
        #expect(try stranger.waitForEnd() == 1)
        #expect(!stranger.text.contains("enrolled at"), "\(stranger.text)")
        #expect(!coordinator.text.contains("refused to enrol"), "\(coordinator.text)")

        // Deleted, expired, for another name.
        let deleted = try cluster.token()
        try cluster.command("token", "delete", deleted)
        let expired = try cluster.token("--ttl", "1s")
        let named = try cluster.token("--node", "other")
        Thread.sleep(forTimeInterval: 1.1)
        for (text, words) in [
            (deleted, "deleted or expired"), (expired, "deleted or expired"), (named, "another node"),
        ] {
            let node = try cluster.startNode("n", environment: ["SHARDLINE_JOIN_TOKEN": text])
            #expect(try node.waitForEnd() == 1)
            #expect(node.text.contains(words), "\(node.text)")
        }
        let list = try cluster.command("token", "list")
        #expect(list.contains("expired") && list.contains("other") && list.contains("valid"))
        let id = try #require(deleted.split(separator: ".").dropFirst().first)
        #expect(!list.contains(id))
        for word in token.split(separator: ".").dropFirst(2) { #expect(!list.contains(word)) }
        let again = try cluster.run(["token", "delete", "--data-directory", "coordinator", deleted])
        #expect(again.status == 78 && again.errors.contains("no join token"))
    }

    /// Lives of seconds: everybody's certificate is renewed again and again while they stay connected, and new
    /// connections use the new ones.
    @Test func certificatesAreRenewedInTime() throws {
        let cluster = try TestCluster()
        let coordinator = try cluster.startCoordinator(["--certificate-lifetime", "9s"])
        var node = try cluster.joinNode("a")
        try node.wait(for: "this node shows new credentials", count: 2)
        try coordinator.wait(for: "this coordinator shows new credentials")
        #expect(!node.text.contains("lost the coordinator"), "\(node.text)")
        #expect(try cluster.connectedNodes() == ["a"])
        // Its first certificate has ended by now; it starts again with what it was given since.
        try node.stop()
        node = try cluster.startNode("a")
        try node.wait(for: "joined the cluster as 'a'")
        try node.stop()
        Thread.sleep(forTimeInterval: 10)
        let ended = try cluster.startNode("a")
        #expect(try ended.waitForEnd() == 78)
        #expect(ended.text.contains("ended at") && ended.text.contains("token create --node a"), "\(ended.text)")
        // As it says.
        node = try cluster.startNode("a", environment: ["SHARDLINE_JOIN_TOKEN": try cluster.token("--node", "a")])
        try node.wait(for: "joined the cluster as 'a'")
    }

    @Test func revocationPutsANodeOutAtOnce() throws {
        let cluster = try TestCluster()
        let coordinator = try cluster.startCoordinator()
        let (a, b) = (try cluster.joinNode("a"), try cluster.joinNode("b"))
        #expect(try cluster.connectedNodes() == ["a", "b"])
        let revoked = try cluster.command("certificate", "revoke", "a")
        #expect(revoked.contains("node 'a'"))
        try coordinator.wait(for: "is dropped")
        try a.wait(for: "revoked")
        #expect(try cluster.connectedNodes() == ["b"])
        let serial = try #require(revoked.split(separator: " ").dropFirst().first?.dropLast())
        let kept = cluster.file("b/revoked")
        for _ in 0..<100 where try !String(contentsOf: kept, encoding: .utf8).contains(serial) {
            Thread.sleep(forTimeInterval: 0.05)
        }
        #expect(try String(contentsOf: kept, encoding: .utf8).contains(serial))
        // It tries to come back and is not let in, whether it stays or starts anew.
        try a.wait(for: "could not join", count: 2)
        try a.stop()
        let again = try cluster.startNode("a")
        try again.wait(for: "could not join")
        #expect(again.text.contains("revoked"), "\(again.text)")
        #expect(try cluster.connectedNodes() == ["b"])
        let list = try cluster.command("certificate", "list")
        #expect(list.split(separator: "\n").contains { $0.contains(serial) && $0.contains("revoked") })
        // Nor is there anything left to revoke.
        let nothing = try cluster.run(["certificate", "revoke", "--data-directory", "coordinator", "a"])
        #expect(nothing.status == 78 && nothing.errors.contains("no valid certificate"))
        #expect(b.process.isRunning)
    }
}
