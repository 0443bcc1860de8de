import Foundation
import Testing

/// Real processes over real sockets: operators, other authorities, strangers, and clusters without any of it.
@Suite(.serialized, .enabled(if: LocalCluster.isPossible, "set SHARDLINE_BIN and SHARDLINE_MODEL, or run tools/test"))
struct AccessTests {
    @Test func operatorsHaveCredentials() throws {
        let cluster = try TestCluster()
        try cluster.startCoordinator()
        _ = try cluster.joinNode("a")
        let made = try cluster.command("operator", "create", "alice", "--out", "alice.pem")
        #expect(made.contains("operator 'alice'"))
        let mode = try FileManager.default.attributesOfItem(atPath: cluster.file("alice.pem").path)
        #expect((mode[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        #expect(try cluster.connectedNodes(["--credentials", "alice.pem"]) == ["a"])
        let coordinator = "127.0.0.1:\(cluster.port)"
        let environment = ["SHARDLINE_CREDENTIALS": "alice.pem", "SHARDLINE_COORDINATOR": coordinator]
        #expect(try cluster.run(["topology"], environment: environment).status == 0)

        // A node's certificate is not an operator's, and neither is what others may read.
        func refusal(_ credentials: String) throws -> String {
            let output = try cluster.run(["topology", "--coordinator", coordinator, "--credentials", credentials])
            #expect(output.status == 78)
            return output.errors
        }
        #expect(try refusal("a/credentials.pem").contains("not of an operator"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o640], ofItemAtPath: cluster.file("alice.pem").path)
        #expect(try refusal("alice.pem").contains("chmod 600"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: cluster.file("alice.pem").path)

        // Nothing is overwritten, no name is given twice.
        for (arguments, words) in [
            (["operator", "create", "bob", "--out", "alice.pem"], "alice.pem is there already"),
            (["operator", "create", "alice", "--out", "new.pem"], "belongs to a operator"),
            (["operator", "create", "a", "--out", "new.pem"], "'a' belongs to a node"),
        ] {
            let output = try cluster.run(arguments + ["--data-directory", "coordinator"])
            #expect(output.status == 78 && output.errors.contains(words), "\(output.errors)")
        }
        // A revoked operator is shown the door.
        try cluster.command("certificate", "revoke", "alice")
        for attempt in 0..<100 {
            let output = try cluster.run(["topology", "--coordinator", coordinator, "--credentials", "alice.pem"])
            if output.status == 1, output.errors.contains("revoked") { return }
            #expect(attempt < 99, "\(output.errors)")
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    /// On the coordinator's host its own user needs neither file nor folder: the port leads to the data directory.
    @Test func theDefaultPlaceIsFound() throws {
        let cluster = try TestCluster()
        let yaml = try String(contentsOf: cluster.file("cluster.yaml"), encoding: .utf8)
        try Data(yaml.replacing(", data_directory: coordinator", with: "").utf8).write(to: cluster.file("cluster.yaml"))
        let coordinator = try cluster.startCoordinator()
        #expect(coordinator.text.contains("/state/shardline/coordinator"))
        #expect(try cluster.connectedNodes([]) == [])
        let second = try cluster.start("shardline", ["serve", "--config", "cluster.yaml"], name: "second")
        #expect(try second.waitForEnd() == 78)
        #expect(second.text.contains("in use by another coordinator"), "\(second.text)")
        try coordinator.stop()
        let output = try cluster.run(["topology", "--coordinator", "127.0.0.1:\(cluster.port)"])
        #expect(output.status == 78 && output.errors.contains("no coordinator of yours"))
    }

    @Test func openFoldersAreRefused() throws {
        let cluster = try TestCluster()
        try FileManager.default.createDirectory(
            at: cluster.file("coordinator"), withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755])
        let coordinator = try cluster.start("shardline", ["serve", "--config", "cluster.yaml"], name: "coordinator")
        #expect(try coordinator.waitForEnd() == 78)
        #expect(coordinator.text.contains("chmod 700"), "\(coordinator.text)")
    }

    // MARK: Strangers

    @Test func strangersAreRefused() throws {
        let (cluster, other) = (try TestCluster(), try TestCluster())
        let coordinator = try cluster.startCoordinator()
        try other.startCoordinator()
        // A node with a good certificate of another cluster.
        let node = try other.joinNode("b")
        try node.stop()
        try FileManager.default.moveItem(at: other.file("b"), to: cluster.file("b"))
        let stranger = try cluster.startNode("b")
        try stranger.wait(for: "could not join", count: 2)
        #expect(!stranger.text.contains("joined the cluster"))
        // One with a token for this cluster says what is in the way.
        try stranger.stop()
        let confused = try cluster.startNode("b", environment: ["SHARDLINE_JOIN_TOKEN": try cluster.token()])
        #expect(try confused.waitForEnd() == 78)
        #expect(confused.text.contains("another cluster"), "\(confused.text)")
        // One that speaks plain text.
        let plain = try cluster.startNode("c", ["--insecure"])
        try plain.wait(for: "could not join", count: 2)
        #expect(!plain.text.contains("joined the cluster"))
        #expect(try cluster.connectedNodes() == [])
        // Another cluster's operator.
        _ = try other.command("operator", "create", "eve", "--out", "eve.pem")
        let eve = try cluster.run(
            ["topology", "--coordinator", "127.0.0.1:\(cluster.port)", "--credentials", other.file("eve.pem").path])
        #expect(eve.status == 1, "\(eve.errors)")
        #expect(coordinator.process.isRunning)
    }

    // MARK: Plain text

    @Test func plainTextIsTypedAndLogged() throws {
        let cluster = try TestCluster(security: ["insecure: true"])
        let coordinator = try cluster.startCoordinator()
        #expect(coordinator.text.contains("INSECURE") && coordinator.text.contains("WARN"))
        #expect(!FileManager.default.fileExists(atPath: cluster.file("coordinator").path))
        let node = try cluster.startNode("a", ["--insecure"])
        try node.wait(for: "joined the cluster as 'a'")
        #expect(node.text.contains("INSECURE"))
        #expect(try cluster.connectedNodes(["--insecure"]) == ["a"])
        // Nobody slips into it by leaving the word out.
        let unsaid = try cluster.startNode("b")
        #expect(try unsaid.waitForEnd() == 78)
        #expect(!unsaid.text.contains("INSECURE"))
        let secure = try TestCluster()
        try secure.startCoordinator()
        let credentials = try secure.command("operator", "create", "o", "--out", "o.pem")
        #expect(credentials.contains("operator 'o'"))
        let topology = try cluster.run(
            ["topology", "--coordinator", "127.0.0.1:\(cluster.port)", "--credentials", secure.file("o.pem").path])
        #expect(topology.status == 1, "\(topology.errors)")
    }

    // MARK: An organisation's authority

    private func openssl(_ arguments: [String], _ cluster: TestCluster) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = cluster.folder
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "openssl \(arguments)")
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    private func makeAuthority(_ cluster: TestCluster) throws {
        try openssl(
            ["req", "-x509"] + Self.newKey + [
                "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=corp", "-days", "2",
            ],
            cluster)
    }

    /// Replaces NAME.pem and NAME.key as a tool for certificates does: beside, then renamed.
    private func issue(_ name: String, _ uri: String, _ cluster: TestCluster) throws {
        let made = "\(name).new"
        try openssl(
            ["req"] + Self.newKey + ["-keyout", "\(made).key", "-out", "\(made).csr", "-subj", "/CN=x"], cluster)
        try cluster.writeSecret(
            "subjectAltName=URI:\(uri),DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n", to: "\(made).ext")
        try openssl(
            [
                "x509", "-req", "-in", "\(made).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "1",
            ]
                + ["-extfile", "\(made).ext", "-out", "\(made).pem"], cluster)
        for ending in ["key", "pem"] {
            #expect(rename(cluster.file("\(made).\(ending)").path, cluster.file("\(name).\(ending)").path) == 0)
        }
    }

    @Test func anOrganisationsAuthorityServes() throws {
        let cluster = try TestCluster(
            security: ["certificate: coordinator.pem", "key: coordinator.key", "authority: ca.pem"])
        try makeAuthority(cluster)
        try issue("coordinator", "spiffe://corp.example/coordinator/coordinator", cluster)
        try issue("a", "spiffe://corp.example/node/a", cluster)
        try issue("alien", "spiffe://other.example/node/alien", cluster)
        let coordinator = try cluster.startCoordinator()
        func node(_ name: String, _ certificate: String) throws -> RunningProgram {
            try cluster.start(
                "shardline-node",
                ["--coordinator", "127.0.0.1:\(cluster.port)", "--name", name, "--threads", "1"]
                    + ["--certificate", "\(certificate).pem", "--key", "\(certificate).key", "--authority", "ca.pem"],
                name: name)
        }
        let a = try node("a", "a")
        try a.wait(for: "joined the cluster as 'a'")

        // Under another name, with another's key, of another trust domain.
        let renamed = try node("b", "a")
        #expect(try renamed.waitForEnd() == 78)
        #expect(renamed.text.contains("node 'a', but --name says 'b'"), "\(renamed.text)")
        let alien = try node("alien", "alien")
        try alien.wait(for: "could not join", count: 2)
        #expect(!alien.text.contains("joined the cluster"))
        alien.kill()

        // New files are taken without a restart; those that do not fit together are not.
        try issue("a", "spiffe://corp.example/node/a", cluster)
        try a.wait(for: "this node shows new credentials")
        try issue("coordinator", "spiffe://corp.example/coordinator/coordinator", cluster)
        kill(coordinator.process.processIdentifier, SIGHUP)
        try coordinator.wait(for: "this coordinator shows new credentials")
        try issue("a", "spiffe://corp.example/node/z", cluster)
        try a.wait(for: "stays as it was")
        #expect(a.process.isRunning && coordinator.process.isRunning)

        // There are no tokens here, but certificates are revoked all the same.
        try issue("o", "spiffe://corp.example/operator/o", cluster)
        let bundle = try ["o.pem", "o.key", "ca.pem"].map {
            try String(contentsOf: cluster.file($0), encoding: .utf8)
        }.joined()
        try cluster.writeSecret(bundle, to: "o.bundle")
        #expect(try cluster.connectedNodes(["--credentials", "o.bundle"]) == ["a"])
        let serial = try #require(a.text.components(separatedBy: "serial ").last?.split(separator: "\n").first)
        try cluster.command("certificate", "revoke", "--foreign", String(serial))
        try coordinator.wait(for: "is revoked")
    }
}
