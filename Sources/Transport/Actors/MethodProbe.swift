import Distributed
import Synchronization
import Wire

/// Notes what a call on a probing system would have called, in place of calling it.
final class MethodProbe: Sendable {
    struct Finding: Sendable {
        /// Swift's mangled name, which changes with module, type, labels and argument types.
        let target: String
        let actorType: ObjectIdentifier
        let argumentType: any WireValue.Type
        /// Nil when the method returns nothing.
        let resultType: (any WireValue.Type)?
    }

    /// Ends the call.
    struct End: Error {}

    private let findings = Mutex<[Finding]>([])

    func note(_ finding: Finding) {
        findings.withLock { $0.append(finding) }
    }

    func takeFindings() -> [Finding] {
        findings.withLock { findings in
            defer { findings = [] }
            return findings
        }
    }
}
