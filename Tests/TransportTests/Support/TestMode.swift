import Testing

/// Whether a test's connections are encrypted.
enum TestMode: CaseIterable {
    case plain
    case encrypted

    /// What `TestProcess` and `RawLane` use where they are not told.
    @TaskLocal static var current = TestMode.plain
}

/// Runs a test once for each mode.
struct InBothModes: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        for mode in TestMode.allCases {
            try await TestMode.$current.withValue(mode) { try await function() }
        }
    }
}

extension Trait where Self == InBothModes {
    static var inBothModes: Self { InBothModes() }
}
