/// A stretch of a run that is measured apart.
public enum LoadPhase: Int, CaseIterable, Hashable, Sendable {
    /// Until all streams of a closed loop decode, or as long as the plan says.
    case warmUp
    /// All streams run; with injections: before the first.
    case steady
    /// From the sending of an injected prompt until its first token.
    case injection
    case afterInjection
    /// Streams end and no more follow.
    case drain

    public var name: String {
        switch self {
        case .warmUp: "warm_up"
        case .steady: "steady"
        case .injection: "injection"
        case .afterInjection: "after_injection"
        case .drain: "drain"
        }
    }

    var title: String {
        switch self {
        case .warmUp: "Phase: warm-up"
        case .steady: "Phase: steady (all streams run)"
        case .injection: "Phase: an injected prompt is processed"
        case .afterInjection: "Phase: after the injected prompts"
        case .drain: "Phase: drain (streams end, none follow)"
        }
    }
}
