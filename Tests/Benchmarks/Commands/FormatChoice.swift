import ArgumentParser
import ModelWriting
import Tensors

/// Formats by the names that users write.
enum FormatChoice {
    static func format(_ name: String) throws -> TensorFormat {
        guard let format = TensorFormat.allCases.first(where: { $0.name == name.uppercased() }) else {
            throw ValidationError(
                "There is no format \(name); there are \(TensorFormat.allCases.map(\.name).joined(separator: ", ")).")
        }
        return format
    }

    static func mix(_ name: String, output: String?) throws -> FormatMix {
        guard let mix = FormatMix(named: name, output: try output.map(format)) else {
            throw ValidationError("There is no format \(name); there are \(FormatMix.names.joined(separator: ", ")).")
        }
        return mix
    }
}
