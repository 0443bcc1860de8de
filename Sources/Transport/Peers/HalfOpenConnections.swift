import Vocabulary

/// Accepted connections whose other ends have not said who they are, or are just being told why they may not: how many
/// there may be, in all and from one place.
struct HalfOpenConnections {
    private struct Entry {
        let connection: LaneConnection
        /// Nil once its greeting was read.
        var greeter: Greeter?
        let origin: SocketAddress.Origin
        let since: Instant
    }

    enum Admission {
        case admitted
        /// Only instead of this one, which has taken longer than anybody honest needs.
        case insteadOf(LaneConnection)
        case refused
    }

    private let countMax: Int
    private let countMaxPerOrigin: Int
    /// In the order in which they came.
    private var entries: [Entry] = []

    /// A handshake takes milliseconds; a second covers a lost packet.
    private static let patience = Instant.Span.seconds(1)

    init(countMax: Int, countMaxPerOrigin: Int) {
        self.countMax = countMax
        self.countMaxPerOrigin = countMaxPerOrigin
    }

    /// Whether another one from `origin` may come in.
    func admission(from origin: SocketAddress.Origin, at now: Instant) -> Admission {
        let isOriginFull = entries.count { $0.origin == origin } >= countMaxPerOrigin
        guard isOriginFull || entries.count >= countMax else { return .admitted }
        let oldest = entries.first { !isOriginFull || $0.origin == origin }
        guard let oldest, now - oldest.since >= Self.patience else { return .refused }
        return .insteadOf(oldest.connection)
    }

    mutating func add(_ greeter: Greeter, from origin: SocketAddress.Origin, at now: Instant) {
        entries.append(Entry(connection: greeter.connection, greeter: greeter, origin: origin, since: now))
    }

    /// Its greeting was read; it still counts.
    mutating func greetingCame(on connection: LaneConnection) {
        guard let index = entries.firstIndex(where: { $0.connection === connection }) else { return }
        entries[index].greeter = nil
    }

    mutating func remove(_ connection: LaneConnection) {
        entries.removeAll { $0.connection === connection }
    }

    /// Forgets all that wait for a greeting, and returns them.
    mutating func takeGreeters() -> [Greeter] {
        defer { entries.removeAll { $0.greeter != nil } }
        return entries.compactMap(\.greeter)
    }
}
