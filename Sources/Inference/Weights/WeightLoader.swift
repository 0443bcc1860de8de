import Memory
import Models
import Tensors

/// Packs the tensors of a stage, one after the other, and gives their pages in the file back.
struct WeightLoader {
    let file: ModelFile
    let context: ComputeContext
    let placement: Placement
    let totalByteCount: Int
    let progress: (_ doneByteCount: Int, _ totalByteCount: Int) -> Void
    private var doneByteCount = 0

    init(
        file: ModelFile, context: ComputeContext, placement: Placement, totalByteCount: Int,
        progress: @escaping (Int, Int) -> Void
    ) {
        self.file = file
        self.context = context
        self.placement = placement
        self.totalByteCount = totalByteCount
        self.progress = progress
    }

    mutating func matrix(_ name: String, rows: Int, columns: Int) throws(InferenceError) -> PackedMatrix {
        guard let tensor = file.tensor(name) else {
            throw InferenceError(.unsuitableModel, "\(file.path): there is no tensor \(name), which this stage needs")
        }
        return try pack(tensor, rows: rows, columns: columns, placement: placement)
    }

    mutating func vector(_ name: String, count: Int) throws(InferenceError) -> WeightVector {
        guard let vector = try vectorIfPresent(name, count: count) else {
            throw InferenceError(.unsuitableModel, "\(file.path): there is no tensor \(name), which this stage needs")
        }
        return vector
    }

    mutating func vectorIfPresent(_ name: String, count: Int) throws(InferenceError) -> WeightVector? {
        guard let tensor = file.tensor(name) else { return nil }
        // Exact values of every format: packed as a matrix of one row and read back.
        let row = try pack(tensor, rows: 1, columns: count, placement: .anywhere)
        do { return try WeightVector(row) } catch {
            throw InferenceError(.outOfMemory, "\(file.path): tensor \(name): \(error.message)")
        }
    }

    private mutating func pack(
        _ tensor: TensorDescription, rows: Int, columns: Int, placement: Placement
    ) throws(InferenceError) -> PackedMatrix {
        guard tensor.rows == rows, tensor.columns == columns else {
            throw InferenceError(
                .unsuitableModel,
                "\(file.path): tensor \(tensor.name) has \(tensor.rows) rows of \(tensor.columns); the "
                    + "model's description asks for \(rows) of \(columns)")
        }
        let packed: PackedMatrix
        do {
            packed = try context.pack(
                file.bytes(of: tensor), format: tensor.format, rows: rows, columns: columns, placement: placement)
        } catch {
            let kind: InferenceError.Kind = error.kind == .outOfMemory ? .outOfMemory : .unsuitableModel
            throw InferenceError(kind, "\(file.path): tensor \(tensor.name): \(error.message)")
        }
        file.dropPages(of: tensor)
        doneByteCount += tensor.byteCount
        progress(doneByteCount, totalByteCount)
        return packed
    }
}
