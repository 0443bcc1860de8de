public import Identity
import Synchronization

/// TLS for all lanes of a process: what it shows and whom it trusts, for as long as it runs. Thread-safe.
public final class TransportSecurity: Sendable {
    /// Who wants to know of new credentials.
    protocol Observer: AnyObject, Sendable {
        func credentialsWereReplaced()
    }

    private struct WeakObserver: Sendable {
        weak let observer: (any Observer)?
    }

    private struct State: Sendable {
        var credentials: Credentials
        /// What OpenSSL cannot use is told to each connection that needs it.
        var context: Result<TLSContext, TransportError>
        var observers: [WeakObserver] = []
    }

    private let state: Mutex<State>
    let enrolment: (any EnrolmentHandler)?
    private let recordsPerKey: Int

    /// - Parameter enrolment: the coordinator's; nil answers those who ask for a certificate that there are none here.
    public convenience init(credentials: Credentials, enrolment: (any EnrolmentHandler)? = nil) {
        // With AES-GCM 2^24.5 records are the limit for full safety.
        self.init(credentials: credentials, enrolment: enrolment, recordsPerKey: 1 << 23)
    }

    /// - Parameter recordsPerKey: written on a connection before its key is changed.
    package init(credentials: Credentials, enrolment: (any EnrolmentHandler)?, recordsPerKey: Int) {
        state = Mutex(State(credentials: credentials, context: Self.context(credentials)))
        self.enrolment = enrolment
        self.recordsPerKey = recordsPerKey
    }

    public var credentials: Credentials { state.withLock { $0.credentials } }

    /// From now on new connections show and trust these. Peers whose certificates are revoked by them are dropped;
    /// others stay connected.
    public func replace(_ credentials: Credentials) {
        let context = Self.context(credentials)
        let observers = state.withLock { state in
            state.credentials = credentials
            state.context = context
            return state.observers.compactMap(\.observer)
        }
        for observer in observers { observer.credentialsWereReplaced() }
    }

    private static func context(_ credentials: Credentials) -> Result<TLSContext, TransportError> {
        Result { () throws(TransportError) in try TLSContext(credentials) }
    }

    /// Held weakly.
    func add(_ observer: any Observer) {
        state.withLock { state in
            state.observers.removeAll { $0.observer == nil }
            state.observers.append(WeakObserver(observer: observer))
        }
    }

    /// The TLS end of a new connection.
    func makeStream(_ socket: Socket, accepts: Bool) throws(TransportError) -> TLSStream {
        let (credentials, context) = state.withLock { ($0.credentials, $0.context) }
        return try TLSStream(
            socket: socket, context: try context.get(),
            judge: CertificateJudge(accepts ? .accepting : .opening, credentials), recordsPerKey: recordsPerKey)
    }
}
