import ArgumentParser
import Tensors

/// Which kernels a command measures.
struct KernelOption: ParsableArguments {
    @Option(
        help: """
            Kernels to measure: \(InstructionSet.available.map(\.rawValue).joined(separator: ", ")) (default: the \
            last, the best this processor can run).
            """,
        transform: { name in
            guard let set = InstructionSet(rawValue: name), InstructionSet.available.contains(set) else {
                let names = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("This processor has no kernels called \(name); it has \(names).")
            }
            return set
        })
    var instructionSet: InstructionSet?

    var value: InstructionSet { instructionSet ?? .best }
}
