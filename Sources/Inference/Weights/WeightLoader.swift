import Memory
import Models
import Tensors

/// Brings the tensors of a stage into memory as packed matrices, one after the other: out of a cache where they are
/// there, else packed from the model's file.
struct WeightLoader {
    let file: ModelFile
    let context: ComputeContext
    let placement: Placement
    let cache: WeightCache?
    let totalByteCount: Int
    let progress: (_ doneByteCount: Int, _ totalByteCount: Int) -> Void
    /// Packed bytes that came out of the cache.
    private(set) var cachedByteCount = 0
    private var doneByteCount = 0
    /// What was said last: a tensor that is begun again does not go back.
    private var shownByteCount = 0

    /// Bytes of the file that are asked for ahead.
    private static let aheadByteCount = 64 << 20

    init(
        file: ModelFile, context: ComputeContext, placement: Placement, cache: WeightCache?, totalByteCount: Int,
        progress: @escaping (Int, Int) -> Void
    ) {
        self.file = file
        self.context = context
        self.placement = placement
        self.cache = cache
        self.totalByteCount = totalByteCount
        self.progress = progress
    }

    mutating func matrix(_ name: String, rows: Int, columns: Int) throws(InferenceError) -> PackedMatrix {
        guard let tensor = file.tensor(name) else { throw missing(name) }
        let shape = try shape(of: tensor, rows: rows, columns: columns)
        let matrix: PackedMatrix
        do throws(TensorError) {
            matrix = try self.matrix(tensor, shape)
        } catch {
            throw failure(tensor, error)
        }
        finish(tensor)
        return matrix
    }

    private mutating func matrix(
        _ tensor: TensorDescription, _ shape: PackedShape
    ) throws(TensorError) -> PackedMatrix {
        let place = try context.reserve(shape, placement: placement)
        guard let cache else { return try pack(tensor, into: place) }
        let key = PackedTensorKey(tensor, of: file, shape: shape)
        let result = cache.read(key, into: place, context: context) { doneByteCount in
            show(doneByteCount, of: shape.byteCount, tensor)
        }
        if case .found(let matrix) = result {
            cachedByteCount += matrix.byteCount
            return matrix
        }
        let matrix = try pack(tensor, into: place)
        cache.add(matrix, for: key, replaces: result.isRefused)
        return matrix
    }

    mutating func vector(_ name: String, count: Int) throws(InferenceError) -> WeightVector {
        guard let vector = try vectorIfPresent(name, count: count) else { throw missing(name) }
        return vector
    }

    mutating func vectorIfPresent(_ name: String, count: Int) throws(InferenceError) -> WeightVector? {
        guard let tensor = file.tensor(name) else { return nil }
        let shape = try shape(of: tensor, rows: 1, columns: count)
        let vector: WeightVector
        do throws(TensorError) {
            vector = try self.vector(tensor, shape)
        } catch {
            throw failure(tensor, error)
        }
        finish(tensor)
        return vector
    }

    private func vector(_ tensor: TensorDescription, _ shape: PackedShape) throws(TensorError) -> WeightVector {
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.byteCount, alignment: 64)
        defer { source.deallocate() }
        if let base = source.baseAddress {
            do { try file.read(0..<tensor.byteCount, of: tensor, into: base) } catch {
                throw TensorError(.unreadable, error.message)
            }
        }
        return try WeightVector(shape, source: UnsafeRawBufferPointer(source))
    }

    private mutating func pack(
        _ tensor: TensorDescription, into place: PackingPlace
    ) throws(TensorError) -> PackedMatrix {
        willRead(tensor, from: 0)
        return try context.pack(into: place) { doneByteCount in
            willRead(tensor, from: doneByteCount)
            show(doneByteCount, of: tensor.byteCount, tensor)
        } read: { [file] range, target in
            try file.read(range, of: tensor, into: target)
        }
    }

    /// Keeps the disk a section ahead of the packing threads.
    private func willRead(_ tensor: TensorDescription, from doneByteCount: Int) {
        let end = min(doneByteCount + 2 * Self.aheadByteCount, tensor.byteCount)
        if doneByteCount < end { file.willRead(doneByteCount..<end, of: tensor) }
    }

    private func shape(
        of tensor: TensorDescription, rows: Int, columns: Int
    ) throws(InferenceError) -> PackedShape {
        guard tensor.rows == rows, tensor.columns == columns else {
            throw InferenceError(
                .unsuitableModel,
                "\(file.path): tensor \(tensor.name) has \(tensor.rows) rows of \(tensor.columns); the "
                    + "model's description asks for \(rows) of \(columns)")
        }
        do {
            return try PackedShape(format: tensor.format, rows: rows, columns: columns)
        } catch {
            throw failure(tensor, error)
        }
    }

    // MARK: Progress

    /// Some of a tensor is there.
    private mutating func show(_ done: Int, of total: Int, _ tensor: TensorDescription) {
        show(doneByteCount + Int(Double(tensor.byteCount) * Double(done) / Double(total)))
    }

    private mutating func finish(_ tensor: TensorDescription) {
        doneByteCount += tensor.byteCount
        show(doneByteCount)
    }

    private mutating func show(_ byteCount: Int) {
        guard byteCount > shownByteCount else { return }
        shownByteCount = byteCount
        progress(byteCount, totalByteCount)
    }

    // MARK: Errors

    private func missing(_ name: String) -> InferenceError {
        InferenceError(.unsuitableModel, "\(file.path): there is no tensor \(name), which this stage needs")
    }

    private func failure(_ tensor: TensorDescription, _ error: TensorError) -> InferenceError {
        switch error.kind {
        case .outOfMemory:
            InferenceError(.outOfMemory, "\(file.path): tensor \(tensor.name): \(error.message)")
        case .unreadable:
            // The model file's own words, which begin with its path.
            InferenceError(.unsuitableModel, "\(error.message) (tensor \(tensor.name))")
        case .invalidSize, .nonFinite, .unsupported:
            InferenceError(.unsuitableModel, "\(file.path): tensor \(tensor.name): \(error.message)")
        }
    }
}
