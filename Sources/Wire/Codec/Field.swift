/// A field of a message, for errors: "ForwardStep.sequences[].tokens" and which element of the list.
struct Field {
    private let path: StaticString
    private let index: Int?

    init(_ path: StaticString, at index: Int? = nil) {
        self.path = path
        self.index = index
    }

    /// The path with the index in its brackets.
    var name: String {
        let path = "\(path)"
        guard let index, let bracket = path.firstIndex(of: "]") else { return path }
        return "\(path[..<bracket])\(index)\(path[bracket...])"
    }

    func malformed(_ problem: String) -> WireError { WireError(.malformedMessage, "\(name): \(problem)") }
    func unencodable(_ problem: String) -> WireError { WireError(.unencodable, "\(name): \(problem)") }
}
