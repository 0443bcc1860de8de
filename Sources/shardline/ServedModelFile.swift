import Cluster
import Foundation
import Models
import Vocabulary

/// A model file as this coordinator serves it. Throws `BadConfiguration` naming the file when it can't be.
struct ServedModelFile {
    let model: CoordinatorService.ServedModel
    let text: TextModel

    init(path: String, name: String?) throws {
        do {
            let file = try ModelFile(path: path)
            let description = try ModelDescription(file)
            let stem = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
            text = try TextModel(file)
            model = CoordinatorService.ServedModel(
                profile: description.profile(servedName: name ?? stem), text: text.tokenizer)
        } catch {
            throw BadConfiguration("\(error)")
        }
    }
}

/// A file or setting that cannot be used: the program ends with status 78.
struct BadConfiguration: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
