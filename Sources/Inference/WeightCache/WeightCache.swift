import Glibc
import Memory
import Synchronization
package import Tensors

/// A folder of packed weights: a file for each tensor, so that nodes need not pack again what one of them has packed
/// before, whatever share of the layers they hold.
///
/// Files are read straight into the packed matrices, verified piece by piece on the way. One that is damaged or not of
/// this version and model is packed anew from the model and replaced. Several processes may use the folder at once. It
/// grows until somebody empties it, which is safe at any time; who may write to it decides what the models say.
public final class WeightCache: Sendable {
    /// What a person may want to know.
    public enum Event: Sendable {
        /// The file at a path is of another version and will be replaced.
        case outdated(path: String, reason: String)
        /// The file at a path is not what this program wrote there, and will be replaced.
        case refused(path: String, reason: String)
        case stored(path: String, byteCount: Int)
        /// Packed weights will not be in the cache; nothing else depends on it.
        case notStored(path: String, reason: String)
    }

    public let folder: String
    private let freeByteCountMin: UInt64
    private let report: @Sendable (Event) -> Void

    private struct Pending: Sendable {
        // A stage that is unloaded is not kept for the cache's sake.
        weak var matrix: PackedMatrix?
        var key: PackedTensorKey
        var replaces: Bool
    }
    private struct State: Sendable {
        var pending: [Pending] = []
        /// Folders of models that were tidied up.
        var tidied: Set<String> = []
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - folder: created when something is stored; the folder above it must be there.
    ///   - freeByteCountMin: bytes that stay free on the folder's file system.
    ///   - report: called on the thread that reads or writes.
    public init(
        folder: String, freeByteCountMin: UInt64 = 1 << 30, report: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.folder = folder
        self.freeByteCountMin = freeByteCountMin
        self.report = report
    }

    /// The file of a tensor; nil for names that cannot be a file's.
    package func path(of key: PackedTensorKey) -> String? {
        key.path.map { "\(folder)/\($0.folder)/\($0.file)" }
    }

    // MARK: Reading

    /// The matrix, read into `place`; nil when it is not there or not in order. Then `place` holds zeros.
    ///
    /// - Parameter progress: called on the calling thread with the packed bytes that are done.
    package func read(
        _ key: PackedTensorKey, into place: PackingPlace, context: ComputeContext,
        progress: (_ doneByteCount: Int) -> Void = { _ in }
    ) -> Lookup {
        guard let path = path(of: key) else { return .missing }
        do throws(CacheFileHeader.Refusal) {
            guard let file = try CacheFile(path: path, key: key) else { return .missing }
            try file.read(into: place.bytes.base, context: context, progress: progress)
            return .found(place.matrix())
        } catch {
            switch error {
            case .outdated(let reason): report(.outdated(path: path, reason: reason))
            case .damaged(let reason): report(.refused(path: path, reason: reason))
            }
            return .refused
        }
    }

    package enum Lookup {
        case found(PackedMatrix)
        case missing
        case refused

        package var isRefused: Bool { if case .refused = self { true } else { false } }
    }

    // MARK: Writing

    /// Remembers a matrix that was packed from the model, for `writePending`.
    ///
    /// - Parameter replaces: the file that is there was refused.
    package func add(_ matrix: PackedMatrix, for key: PackedTensorKey, replaces: Bool) {
        guard key.path != nil else { return }
        state.withLock { $0.pending.append(Pending(matrix: matrix, key: key, replaces: replaces)) }
    }

    /// Writes what was packed since the last call, as far as it is still held; to be called on a thread that has
    /// nothing better to do. After a failure the rest is left for another load to write.
    public func writePending() {
        while let next = state.withLock({ $0.pending.isEmpty ? nil : $0.pending.removeFirst() }) {
            guard let matrix = next.matrix, let (folder, file) = next.key.path else { continue }
            do throws(CacheFileWriter.Failure) {
                try write(matrix, next, folder: "\(self.folder)/\(folder)", file: file)
            } catch {
                let leftCount = state.withLock { state in
                    defer { state.pending = [] }
                    return state.pending.count
                }
                let rest = leftCount > 0 ? "; \(leftCount) more are left out" : ""
                report(.notStored(path: "\(self.folder)/\(folder)/\(file)", reason: error.reason + rest))
            }
        }
    }

    private func write(
        _ matrix: PackedMatrix, _ pending: Pending, folder: String, file: String
    ) throws(CacheFileWriter.Failure) {
        let path = "\(folder)/\(file)"
        if mkdir(self.folder, 0o755) != 0, errno != EEXIST {
            throw CacheFileWriter.Failure(
                reason: "cannot create the folder \(self.folder): \(String(cString: strerror(errno)))")
        }
        if state.withLock({ $0.tidied.insert(folder).inserted }) { CacheFileWriter.removeRemains(in: folder) }
        // Another process may have been quicker.
        if !pending.replaces, (try? CacheFile(path: path, key: pending.key)) != nil { return }
        let writer = CacheFileWriter(folder: folder, file: file, freeByteCountMin: freeByteCountMin)
        try writer.write(matrix, key: pending.key)
        report(.stored(path: path, byteCount: matrix.byteCount))
    }
}
