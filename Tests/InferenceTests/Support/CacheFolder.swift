import Foundation
import Inference
import Models
import Synchronization
import Tensors
import Testing
import Vocabulary

/// A weight cache in a folder of its own, and what it reported.
final class CacheFolder: Sendable {
    let path: String
    let cache: WeightCache
    private let log: EventLog

    private final class EventLog: Sendable {
        let events = Mutex<[WeightCache.Event]>([])
    }

    init(freeByteCountMin: UInt64 = 0) {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("shardline-\(UUID().uuidString)").path
        let log = EventLog()
        self.log = log
        cache = WeightCache(folder: path, freeByteCountMin: freeByteCountMin) { event in
            log.events.withLock { $0.append(event) }
        }
    }

    /// Another process's view of the folder, as far as files go.
    func other() -> WeightCache { WeightCache(folder: path, freeByteCountMin: 0) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What was reported since the last call: "refused PATH REASON" and so on, paths from the folder on.
    func events() -> [String] {
        let events = log.events.withLock { events in
            defer { events = [] }
            return events
        }
        return events.map { event in
            let text =
                switch event {
                case .outdated(let path, let reason): "outdated \(path) \(reason)"
                case .refused(let path, let reason): "refused \(path) \(reason)"
                case .stored(let path, _): "stored \(path)"
                case .notStored(let path, let reason): "not stored \(path) \(reason)"
                }
            return text.replacingOccurrences(of: path + "/", with: "")
        }
    }

    /// All files below the folder, from it on.
    func files() -> [String] {
        (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? [])
            .filter { file in
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: "\(path)/\(file)", isDirectory: &isFolder)
                    && !isFolder.boolValue
            }.sorted()
    }
}

extension PackedTensorKey {
    /// The key under which a model's tensor is looked for.
    init(_ name: String, of file: ModelFile) throws {
        let tensor = try #require(file.tensor(name))
        self.init(
            modelFingerprint: file.fingerprint, tensor: name,
            shape: try PackedShape(format: tensor.format, rows: tensor.rows, columns: tensor.columns),
            modelModificationNanoseconds: file.modificationNanoseconds ?? 0)
    }
}
