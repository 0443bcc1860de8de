import Models
package import Tensors

/// Which packed tensor: what its file in a weight cache is called, and what must stand in it.
package struct PackedTensorKey: Hashable, Sendable {
    package let modelFingerprint: String
    package let tensor: String
    package let shape: PackedShape
    /// When the model file was last written to, in nanoseconds since 1970: the fingerprint does not cover all of a
    /// file, and one that was damaged and fetched again must not go on with what was packed of the damaged one.
    package let modelModificationNanoseconds: Int64

    package init(modelFingerprint: String, tensor: String, shape: PackedShape, modelModificationNanoseconds: Int64) {
        self.modelFingerprint = modelFingerprint
        self.tensor = tensor
        self.shape = shape
        self.modelModificationNanoseconds = modelModificationNanoseconds
    }

    init(_ tensor: TensorDescription, of file: ModelFile, shape: PackedShape) {
        self.init(
            modelFingerprint: file.fingerprint, tensor: tensor.name, shape: shape,
            modelModificationNanoseconds: file.modificationNanoseconds ?? 0)
    }

    /// A folder and a file in it; nil for names that a file system may take for something else. Those are not kept.
    var path: (folder: String, file: String)? {
        guard Self.isPlain(modelFingerprint), Self.isPlain(tensor) else { return nil }
        return (modelFingerprint, tensor + ".packed")
    }

    private static func isPlain(_ name: String) -> Bool {
        guard (1...200).contains(name.utf8.count), name.first != "." else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
