import Foundation
import Testing

@Suite struct HouseTests {
    /// The repository's root: links are followed, so that the rules hold for the real tree.
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test func theHouseIsInOrder() throws {
        let house = try House(root: Self.root)
        #expect(house.files.count > 50)
        for fault in house.faults { Issue.record("\(fault)") }
    }

    // MARK: - The rules themselves

    /// The faults of a small house with `files` (paths from `Sources/` on) and `manifest`, without those that come
    /// of rooms that are not there.
    private func faults(_ files: [String: String], manifest: String = "") throws -> [String] {
        let root = FileManager.default.temporaryDirectory.appending(path: "shardline-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, text) in files {
            let file = root.appending(path: "Sources/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try Data(manifest.utf8).write(to: root.appending(path: "Package.swift"))
        return try House(root: root).faults.filter { !$0.contains("has a row but no folder") }
    }

    @Test func anImportUpwardsIsFound() throws {
        let found = try faults(
            ["Models/Deep/A.swift": "import Foundation\npublic import Gateway\n"],
            manifest: #"room("Models", ["Tensors"])"#)
        #expect(found.contains("Sources/Models/Deep/A.swift:2 imports Gateway: row 3 may not use row 6"))
        #expect(found.contains("Package.swift: Models imports Gateway but does not depend on it"))
    }

    @Test func anImportOfTheSameRowIsFound() throws {
        let found = try faults(
            ["Models/A.swift": "import Transport\n"], manifest: #"room("Models", ["Transport"])"#)
        #expect(
            found == [
                "Sources/Models/A.swift:1 imports Transport: row 3 may not use row 3",
                "Package.swift: Models depends on Transport: row 3 may not use row 3",
            ])
    }

    @Test func aProgramMayNotReachDownToC() throws {
        let found = try faults(
            ["shardline-node/A.swift": "@preconcurrency import CPlatform\n"],
            manifest: #"program("shardline-node", ["CPlatform", logging])"#)
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.hasSuffix("programs do not reach down to row 0") })
    }

    @Test func aRoomWithoutARowIsFound() throws {
        let found = try faults(["Attic/A.swift": ""], manifest: #"room("Attic", [])"#)
        #expect(found == ["Sources/Attic has no row; give it one in House.rows"])
    }

    @Test func aRoomWithoutATargetIsFound() throws {
        #expect(try faults(["Models/A.swift": ""]) == ["Package.swift has no target Models"])
    }

    @Test func sizesAreFound() throws {
        let found = try faults(
            [
                "Models/Long.swift": String(repeating: "\n", count: 501),
                "Models/Wide.swift": "// \(String(repeating: "ä", count: 118))\n",
                "Models/Fine.swift": String(repeating: "// \(String(repeating: "ä", count: 117))\n", count: 500),
                "CProtocols/Generated.c": String(repeating: "\(String(repeating: "x", count: 300))\n", count: 900),
            ], manifest: #"room("Models", []) .target(name: "CProtocols")"#)
        #expect(
            found == [
                "Sources/Models/Long.swift has 501 lines, more than 500",
                "Sources/Models/Wide.swift:1 has 121 columns, more than 120",
            ])
    }

    @Test(arguments: [
        ("import Models", "Models"), ("public import Models", "Models"), ("@_exported import Models", "Models"),
        ("@_spi(Some) @preconcurrency import Models", "Models"), ("import struct Models.Tokenizer", "Models"),
        ("    import Models  // why", "Models"), ("import shardline_node", "shardline-node"),
        ("fileprivate import CKernels", "CKernels"), ("import Foundation", nil), ("// import Models", nil),
        ("let text = \"import Models\"", nil), ("important Models", nil), ("import ModelsExtra", nil),
    ])
    func importLinesAreUnderstood(line: String, room: String?) {
        #expect(House.importedRoom(line) == room)
    }

    @Test func manifestsAreUnderstood() {
        let declared = House.declaredDependencies(
            """
            func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
                .target(name: name, dependencies: dependencies)
            }
            let targets = [
                // room("Old", ["Models"]),
                program("shardline", ["Cluster", "Gateway",
                    "Models", logging]),
                room("Models", ["Tensors", "Memory"], exclude: ["x"]),
                room("Vocabulary", []),
                .target(name: "CKernels", cSettings: kernelSettings),
                .executableTarget(name: "fuzz", dependencies: ["Models", "Wire"], path: "Tests/Fuzz"),
            ]
            """)
        #expect(
            declared == [
                "shardline": ["Cluster", "Gateway", "Models"], "Models": ["Tensors", "Memory"], "Vocabulary": [],
                "CKernels": [], "fuzz": ["Models", "Wire"],
            ])
    }
}
