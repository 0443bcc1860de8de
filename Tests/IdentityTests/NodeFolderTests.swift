import Foundation
import Identity
import Testing

@Suite struct NodeFolderTests {
    @Test func keepsCredentials() throws {
        let parent = try TestFolder()
        let folder = try NodeFolder(path: parent.path("node"))
        #expect(try folder.load() == nil)
        let authority = try Sample.authority()
        let credentials = try Sample.credentials(authority).revoking(["0a", "ff"])
        try folder.store(credentials)
        #expect(try NodeFolder(path: parent.path("node")).load() == credentials)
        #expect(try parent.mode(of: "node/credentials.pem") == 0o600)
        try folder.storeRevoked(["0b"])
        #expect(try folder.load() == credentials.revoking(["0b"]))
        // A node that is told that it is revoked itself can still say who it was.
        try folder.storeRevoked([credentials.identity.serial])
        #expect(try folder.load()?.identity == credentials.identity)
        let next = try Sample.credentials(authority)
        try folder.store(next)
        #expect(try folder.load() == next)
    }

    @Test func damageIsNamedWithTheFix() throws {
        let parent = try TestFolder()
        let folder = try NodeFolder(path: parent.path("node"))
        try folder.store(try Sample.credentials(try Sample.authority()))
        let whole = try parent.text("node/credentials.pem")
        for text in ["", String(whole.prefix(whole.count / 2)), whole.replacing("MI", with: "NI")] {
            try parent.write(text, to: "node/credentials.pem")
            do {
                _ = try folder.load()
                Issue.record("taken")
            } catch {
                #expect(error.message.contains("credentials.pem") && error.message.contains("enrol again"), "\(error)")
            }
            #expect(try parent.text("node/credentials.pem") == text)
        }
        try parent.write(whole, to: "node/credentials.pem")
        try parent.write("no serial\n", to: "node/revoked")
        Sample.expect(.malformed, "revoked") { _ = try folder.load() }
        try parent.write("", to: "node/revoked")
        try parent.setMode(0o644, of: "node/credentials.pem")
        Sample.expect(.storage, "chmod 600") { _ = try folder.load() }
    }

    @Test func twoNodesAreRefused() throws {
        let parent = try TestFolder()
        let folder = try NodeFolder(path: parent.path("node"))
        let lock = try folder.lock()
        Sample.expect(.storage, "another node") { _ = try NodeFolder(path: parent.path("node")).lock() }
        withExtendedLifetime(lock) {}
    }

    @Test func aFileIsNeverOverwritten() throws {
        let parent = try TestFolder()
        try PrivateFile.create([1, 2], at: parent.path("out.pem"))
        #expect(try parent.mode(of: "out.pem") == 0o600)
        Sample.expect(.storage, "nothing was overwritten", "out.pem") {
            try PrivateFile.create([3], at: parent.path("out.pem"))
        }
        #expect(try PrivateFile.read(parent.path("out.pem")) == [1, 2])
        Sample.expect(.storage, "longer than 1") { _ = try PrivateFile.read(parent.path("out.pem"), byteCountMax: 1) }
        #expect(mkfifo(parent.path("pipe"), 0o600) == 0)
        Sample.expect(.storage, "not a file") { _ = try PrivateFile.read(parent.path("pipe")) }
    }

    @Test func thePlaceForState() throws {
        #expect(try StatePlace.coordinator(["XDG_STATE_HOME": "/x", "HOME": "/h"]) == "/x/shardline/coordinator")
        #expect(try StatePlace.node("a", ["XDG_STATE_HOME": "x", "HOME": "/h"]) == "/h/.local/state/shardline/nodes/a")
        Sample.expect(.storage, "--data-directory") { _ = try StatePlace.root([:]) }
        #expect(UnixTime.text(0) == "1970-01-01 00:00:00 UTC" && UnixTime.text(.max) == "never")
    }
}
