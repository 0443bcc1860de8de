import Wire

/// The distributed methods that may be called: their stable numbers, and what Swift calls them in this build. What is
/// not in the table is neither sent nor executed.
public struct MethodTable: Sendable {
    struct Entry: Sendable {
        let number: UInt16
        let name: String
        let lane: Lane
        let isOneWay: Bool
        let target: String
        let actorType: ObjectIdentifier
        let argumentType: any WireValue.Type
        let invoke: DistributedMethod.Invoke?
    }

    private var byNumber: [UInt16: Entry] = [:]
    private var byTarget: [String: Entry] = [:]

    /// Finds the mangled name of each method by calling it on a stub whose system notes what was called.
    ///
    /// Throws `TransportError` of kind `invalidMethod` when a number or a method occurs twice, or a probe does not call
    /// exactly one method that fits its description.
    public static func discover(_ methods: [DistributedMethod]) async throws -> MethodTable {
        let probe = MethodProbe()
        let system = ClusterActorSystem(probe: probe)
        var table = MethodTable()
        for method in methods {
            do {
                try await method.probe(system)
            } catch is MethodProbe.End {}
            try table.add(method, probe.takeFindings())
        }
        return table
    }

    private mutating func add(_ method: DistributedMethod, _ findings: [MethodProbe.Finding]) throws(TransportError) {
        guard let finding = findings.first, findings.count == 1 else {
            throw Self.invalid(method, "its probe calls \(findings.count) distributed methods; it must call one")
        }
        guard method.number > 0 else { throw Self.invalid(method, "0 is not a method number") }
        if let other = byNumber[method.number] { throw Self.invalid(method, "\(other.name) has that number") }
        if let other = byTarget[finding.target] { throw Self.invalid(method, "its probe calls \(other.name)") }
        guard !method.isOneWay || finding.resultType == nil else {
            throw Self.invalid(method, "a one-way method cannot return anything")
        }
        let entry = Entry(
            number: method.number, name: method.name, lane: method.lane, isOneWay: method.isOneWay,
            target: finding.target, actorType: finding.actorType, argumentType: finding.argumentType,
            invoke: method.invoke)
        byNumber[entry.number] = entry
        byTarget[entry.target] = entry
    }

    private static func invalid(_ method: DistributedMethod, _ problem: String) -> TransportError {
        TransportError(.invalidMethod, "method \(method.number), \(method.name): \(problem)")
    }

    func method(number: UInt16) -> Entry? { byNumber[number] }

    func method(target: String) -> Entry? { byTarget[target] }
}
