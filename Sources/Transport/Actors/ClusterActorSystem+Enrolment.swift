public import Identity
import Vocabulary
public import Wire

extension ClusterActorSystem {
    /// Asks the coordinator that listens there for a first certificate, on a connection of its own: encrypted, and only
    /// to a coordinator whose certificate is signed by the authority with this fingerprint. The secret leaves this
    /// process only once that is proved.
    ///
    /// Throws `TransportError`: `refused`, `unreachable`, `timedOut`, `untrusted` (another authority, or somebody who
    /// is no coordinator), `notAdmitted` (the token or the name is refused; the message says why),
    /// `protocolViolation`.
    ///
    /// - Returns: the certificates, whose last one is the authority's. Whether the first one is what was asked for is
    ///   for the caller to check.
    public static func enrol(
        host: String, port: Int, authority: AuthorityFingerprint, request: Enrol,
        options: TransportOptions = TransportOptions(), loop: EventLoop
    ) async throws -> Enrolled {
        let deadline = EventLoop.now + options.connectTimeout
        let addresses = try await NameLookup(loop: loop, options: options).addresses(
            host: host, port: port, deadline: deadline)
        let task = Task(executorPreference: loop) {
            try await enrol(at: addresses, authority, request, options, loop)
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private static func enrol(
        at addresses: [SocketAddress], _ authority: AuthorityFingerprint, _ request: Enrol, _ options: TransportOptions,
        _ loop: EventLoop
    ) async throws -> Enrolled {
        var failure: any Error = TransportError(.invalidAddress, "there is no address to enrol at")
        for address in addresses {
            do {
                return try await EnrolmentConnection(
                    address: address, authority: authority, loop: loop, options: options
                ).ask(request)
            } catch let error as TransportError where error.isOfAddress {
                // The name may have further addresses.
                failure = error
            }
        }
        throw failure
    }
}

extension TransportError {
    /// Nobody answers there; somewhere else somebody may.
    fileprivate var isOfAddress: Bool {
        switch kind {
        case .refused, .unreachable, .timedOut, .system: true
        default: false
        }
    }
}
