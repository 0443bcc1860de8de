/// Where the phases of a run begin and end, as far as it is known. What is asked about lies in the past.
package struct PhaseTimeline: Hashable, Sendable {
    package struct Injection: Hashable, Sendable {
        package var start: UInt64
        /// Nil while it is processed.
        package var end: UInt64?
    }

    /// Nil while it is not over.
    package var warmUpEnd: UInt64?
    package var drainStart: UInt64?
    /// By their number in the plan; nil: not yet sent.
    package private(set) var injections: [Injection?]

    package init(warmUpEnd: UInt64?, injectionCount: Int) {
        self.warmUpEnd = warmUpEnd
        injections = [Injection?](repeating: nil, count: injectionCount)
    }

    package mutating func beginInjection(_ index: Int, at moment: UInt64) {
        injections[index] = Injection(start: moment)
    }

    /// Its first end counts.
    package mutating func endInjection(_ index: Int, at moment: UInt64) {
        if injections[index]?.end == nil { injections[index]?.end = moment }
    }

    /// Of a wait between two moments: an injection's when they overlap, for a stall can end with it; else of its end.
    package func phase(from start: UInt64, to end: UInt64) -> LoadPhase {
        var isAfter = false
        for case let injection? in injections {
            if end > injection.start, injection.end.map({ start < $0 }) ?? true { return .injection }
            if start >= injection.start { isAfter = true }
        }
        guard let warmUpEnd, end > warmUpEnd else { return .warmUp }
        if let drainStart, end > drainStart { return .drain }
        return isAfter ? .afterInjection : .steady
    }

    /// How long each phase lasted, in the order of `LoadPhase.allCases`, when the run ended at `runEnd`.
    package func nanoseconds(runEnd: UInt64) -> [UInt64] {
        var bounds: Set<UInt64> = [0, runEnd]
        for case let injection? in injections { bounds.formUnion([injection.start, injection.end ?? runEnd]) }
        bounds.formUnion([warmUpEnd, drainStart].compactMap { $0 })
        let sorted = bounds.filter { $0 <= runEnd }.sorted()
        var lengths = [UInt64](repeating: 0, count: LoadPhase.allCases.count)
        for (start, end) in zip(sorted, sorted.dropFirst()) {
            // Between two bounds all is one phase: a moment in the middle tells which.
            let middle = start + (end - start + 1) / 2
            lengths[phase(from: middle, to: middle).rawValue] += end - start
        }
        return lengths
    }
}
