/// How the answers of a run compare with those of a reference run.
public struct Verification: Hashable, Sendable {
    /// More mismatches are only counted.
    public static let shownCountMax = 20

    public private(set) var equalCount = 0
    /// Of clients that went away: equal as far as they came.
    public private(set) var equalPrefixCount = 0
    public private(set) var mismatchCount = 0
    /// Requests that the reference run did not have, or had otherwise.
    public private(set) var unknownCount = 0
    /// The first ones.
    public private(set) var mismatches: [AnswerMismatch] = []
    /// The first of the unknown, with the reason.
    public private(set) var firstUnknown: String?

    public init() {}

    /// Whether every answer was found and equal.
    public var isClean: Bool { mismatchCount == 0 && unknownCount == 0 }

    /// Whether the answer is the expected one.
    mutating func add(_ record: RequestRecord, fingerprint: String, reference: ReferenceSet) -> Bool {
        guard let answer = reference.answers[record.name] else {
            return addUnknown("request \(record.name) is not in the reference; record as many requests as this run has")
        }
        guard answer.fingerprint == fingerprint else {
            return addUnknown(
                "request \(record.name) is not the one that was recorded; give both runs the same model, prompt, "
                    + "length and seed flags")
        }
        guard let mismatch = AnswerMismatch.between(record, answer) else {
            if record.isDisconnected { equalPrefixCount += 1 } else { equalCount += 1 }
            return true
        }
        mismatchCount += 1
        if mismatches.count < Self.shownCountMax { mismatches.append(mismatch) }
        return false
    }

    private mutating func addUnknown(_ reason: String) -> Bool {
        unknownCount += 1
        if firstUnknown == nil { firstUnknown = reason }
        return false
    }
}
