import Foundation
import Models
import Synchronization
import Vocabulary

/// The model files that lie on a node, found by fingerprint: names and paths differ from host to host.
public final class ModelLibrary: Sendable {
    struct Entry: Sendable {
        let file: ModelFile
        let description: ModelDescription
        let endTokens: [TokenID]
    }

    private let files: [String]
    private let folders: [String]
    private let opened = Mutex<[String: Entry]>([:])

    /// - Parameters:
    ///   - files: GGUF files.
    ///   - folders: folders whose `.gguf` files are looked through.
    public init(files: [String], folders: [String]) {
        self.files = files
        self.folders = folders
    }

    /// Throws a `ClusterError` that says where was looked when no file has this fingerprint.
    func model(fingerprint: String, name: String) throws -> Entry {
        if let entry = opened.withLock({ $0[fingerprint] }) { return entry }
        var others: [String] = []
        for path in candidates() {
            let file: ModelFile
            do { file = try ModelFile(path: path) } catch {
                others.append("\(path): \(error)")
                continue
            }
            guard file.fingerprint == fingerprint else {
                others.append("\(path) is another file (fingerprint \(file.fingerprint.prefix(12)))")
                continue
            }
            let tokenizer = try Tokenizer(file)
            let entry = Entry(file: file, description: try ModelDescription(file), endTokens: tokenizer.endTokens)
            opened.withLock { $0[fingerprint] = entry }
            return entry
        }
        let places = (files + folders).joined(separator: ", ")
        throw ClusterError(
            """
            no file of model '\(name)' (fingerprint \(fingerprint.prefix(12))) among \
            \(places.isEmpty ? "no places: give --model or --model-directory" : places); \
            copy the coordinator's file there\(others.isEmpty ? "" : " (looked at: \(others.joined(separator: "; ")))")
            """)
    }

    private func candidates() -> [String] {
        files + folders.flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
                .filter { $0.hasSuffix(".gguf") }.sorted().map { "\(folder)/\($0)" }
        }
    }
}
