import ArgumentParser
import LoadTest

enum EndpointName: String, CaseIterable, ExpressibleByArgument {
    case completions
    case chat

    var endpoint: LoadPlan.Endpoint {
        switch self {
        case .completions: .completions
        case .chat: .chat
        }
    }
}

/// Throws a mistake in the flags unless `isFine`.
func check(_ isFine: Bool, _ message: @autoclosure () -> String) throws {
    guard isFine else { throw ValidationError(message()) }
}
