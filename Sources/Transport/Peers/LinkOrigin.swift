import Wire

/// How a set of lanes came to be, which decides who makes a lost lane again and whom it is made again with.
struct LinkOrigin: Sendable {
    /// Drawn by the end that opened the lanes.
    let link: UInt64
    /// Where the other end listens; nil when it opened the lanes itself.
    let address: SocketAddress?
}
