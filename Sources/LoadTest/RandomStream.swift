/// What each stream of random numbers of a plan's seed is for. A stream of its own for each use: one flag more does
/// not change what the others draw.
enum RandomStream {
    case prompt(request: Int, turn: Int)
    case prefix(Int)
    case injection(Int)
    case shape(request: Int)
    case thinking(request: Int, turn: Int)
    case arrivals

    func generator(seed: UInt64) -> SplitMix64 {
        switch self {
        case .prompt(let request, let turn): SplitMix64(seed: seed, stream: UInt64(request) | UInt64(turn) << 40)
        case .prefix(let index): SplitMix64(seed: seed, stream: 1 << 60 | UInt64(index))
        case .injection(let index): SplitMix64(seed: seed, stream: 2 << 60 | UInt64(index))
        case .shape(let request): SplitMix64(seed: seed, stream: 3 << 60 | UInt64(request))
        case .thinking(let request, let turn):
            SplitMix64(seed: seed, stream: 4 << 60 | UInt64(request) | UInt64(turn) << 40)
        case .arrivals: SplitMix64(seed: seed, stream: .max)
        }
    }
}
