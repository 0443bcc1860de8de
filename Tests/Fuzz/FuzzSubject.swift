/// One kind of input that comes from outside.
protocol FuzzSubject: SendableMetatype {
    /// - Parameter corpusPath: a file to mutate; nil for what the subject makes itself.
    init(corpusPath: String?) throws

    /// Runs one case; all that is random in it comes from `random`.
    ///
    /// - Returns: Whether the parser accepted the input; false when it refused it with its own error.
    /// - Throws: When the parser broke its word: another error, or an accepted value that contradicts itself.
    mutating func run(_ random: inout FuzzRandom) throws -> Bool
}

/// What a case found wrong without crashing.
struct FuzzFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
