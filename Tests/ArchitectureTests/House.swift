import Foundation

/// The rooms of the house (docs/architecture.md) and the rules that keep it in order, checked over a folder that
/// holds `Package.swift` and `Sources`.
struct House {
    /// A target imports only targets of lower rows.
    static let rows: [String: Int] = [
        "shardline": 7, "shardline-node": 7, "shardline-load": 7,
        "Gateway": 6,
        "Cluster": 5,
        "Orchestration": 4, "Inference": 4,
        "Models": 3, "Transport": 3, "LoadTest": 3,
        "Tensors": 2, "Wire": 2, "Identity": 2, "ConfigurationFile": 2, "OpenAIClient": 2,
        "Vocabulary": 1, "Memory": 1, "Telemetry": 1,
        "CKernels": 0, "CProtocols": 0, "CPlatform": 0,
    ]

    static let programRow = 7
    static let lineCountMax = 500
    static let columnCountMax = 120
    /// Written by a program: its lines are as long as they are.
    static let generated = ["CProtocols"]

    struct File {
        var target: String
        /// From `Sources/` on.
        var path: String
        var lines: [Substring]
    }

    let files: [File]
    let targets: [String]
    let manifest: String

    init(root: URL) throws {
        manifest = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        let sources = root.appending(path: "Sources")
        targets = try FileManager.default.contentsOfDirectory(atPath: sources.path)
            .filter { !$0.hasPrefix(".") }.sorted()
        var files: [File] = []
        for target in targets {
            let folder = sources.appending(path: target)
            let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
            for name in names.sorted() where ["swift", "c", "h", "S"].contains((name as NSString).pathExtension) {
                let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                files.append(File(target: target, path: "\(target)/\(name)", lines: lines))
            }
        }
        self.files = files
    }

    /// What breaks a rule, a sentence each.
    var faults: [String] { rowFaults + importFaults + sizeFaults + manifestFaults }

    /// Targets and rows are the same set.
    private var rowFaults: [String] {
        let strangers = targets.filter { Self.rows[$0] == nil }
        let missing = Self.rows.keys.sorted().filter { !targets.contains($0) }
        return strangers.map { "Sources/\($0) has no row; give it one in House.rows" }
            + missing.map { "\($0) has a row but no folder in Sources" }
    }

    private var importFaults: [String] {
        files.flatMap { file in
            file.lines.enumerated().compactMap { index, line in
                guard let imported = Self.importedRoom(String(line)) else { return nil }
                return fault(from: file.target, to: imported, place: "Sources/\(file.path):\(index + 1) imports")
            }
        }
    }

    private var sizeFaults: [String] {
        var faults: [String] = []
        for file in files where !Self.generated.contains(file.target) {
            let lineCount = file.lines.last?.isEmpty == true ? file.lines.count - 1 : file.lines.count
            if lineCount > Self.lineCountMax {
                faults.append("Sources/\(file.path) has \(lineCount) lines, more than \(Self.lineCountMax)")
            }
            for (index, line) in file.lines.enumerated() where line.utf8.count > Self.columnCountMax {
                guard line.count > Self.columnCountMax else { continue }
                let place = "Sources/\(file.path):\(index + 1)"
                faults.append("\(place) has \(line.count) columns, more than \(Self.columnCountMax)")
            }
        }
        return faults
    }

    /// What the manifest lets a target depend on follows the rows too, and every import of a room is declared.
    private var manifestFaults: [String] {
        let declared = Self.declaredDependencies(manifest)
        var faults: [String] = []
        for target in targets {
            guard let dependencies = declared[target] else {
                faults.append("Package.swift has no target \(target)")
                continue
            }
            for dependency in dependencies.sorted() where Self.rows[dependency] != nil {
                if let fault = fault(from: target, to: dependency, place: "Package.swift: \(target) depends on") {
                    faults.append(fault)
                }
            }
            let imported = Set(
                files.filter { $0.target == target }.flatMap(\.lines).compactMap {
                    Self.importedRoom(String($0))
                })
            for room in imported.subtracting(dependencies).sorted() where room != target {
                faults.append("Package.swift: \(target) imports \(room) but does not depend on it")
            }
        }
        return faults
    }

    private func fault(from target: String, to imported: String, place: String) -> String? {
        guard let row = Self.rows[target], let importedRow = Self.rows[imported] else { return nil }
        if importedRow >= row {
            return "\(place) \(imported): row \(row) may not use row \(importedRow)"
        }
        if row == Self.programRow, importedRow == 0 {
            return "\(place) \(imported): programs do not reach down to row 0"
        }
        return nil
    }

    // MARK: - Reading

    /// The room that a line of Swift imports; nil when it imports none.
    static func importedRoom(_ line: String) -> String? {
        // Few lines are imports, and a look at every one with a regular expression takes long.
        guard line.contains("import ") else { return nil }
        let pattern =
            #/
            ^\s* (?: @\w+ (?: \( [^)]* \) )? \s+ )*
            (?: (?: public | package | internal | fileprivate | private ) \s+ )?
            import \s+
            (?: (?: struct | class | enum | protocol | typealias | func | let | var | actor ) \s+ )?
            (\w+)
            /#
        guard let match = line.firstMatch(of: pattern) else { return nil }
        let module = String(match.output.1)
        // A program's module is called as its target, with underscores.
        return rows.keys.first { $0 == module || $0.replacing("-", with: "_") == module }
    }

    /// The names in quotes among the dependencies of each target that the manifest declares.
    static func declaredDependencies(_ manifest: String) -> [String: Set<String>] {
        let code = manifest.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
        var declared: [String: Set<String>] = [:]
        for match in code.matches(of: /(?:room|program)\(\s*"([\w-]+)"\s*,\s*\[([^\]]*)\]/) {
            declared[String(match.output.1)] = names(match.output.2)
        }
        let plain = /\.(?:target|executableTarget)\(\s*name:\s*"([\w-]+)"(?:\s*,\s*dependencies:\s*\[([^\]]*)\])?/
        for match in code.matches(of: plain) {
            declared[String(match.output.1)] = match.output.2.map(names) ?? []
        }
        return declared
    }

    private static func names(_ list: Substring) -> Set<String> {
        Set(list.matches(of: /"([\w-]+)"/).map { String($0.output.1) })
    }
}
