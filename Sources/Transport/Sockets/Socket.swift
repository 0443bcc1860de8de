import CPlatform
import Glibc

/// A non-blocking TCP socket, closed with its last reference: a descriptor is never closed under a thread that writes
/// to it.
final class Socket: Sendable {
    let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A connected socket that came from elsewhere; made non-blocking.
    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    private static func open(_ address: SocketAddress) throws(TransportError) -> Socket {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        guard descriptor >= 0 else { throw .ofSystem("socket") }
        return Socket(descriptor: descriptor)
    }

    /// Refuses plain text to addresses beyond this host unless it is allowed.
    static func requireAllowed(_ address: SocketAddress, _ options: TransportOptions) throws(TransportError) {
        guard options.security != nil || options.allowsNonLoopback || address.isLoopback else {
            throw TransportError(
                .nonLoopback,
                "\(address) is not on this host, and connections are not encrypted: give this process certificates, "
                    + "use a loopback address, or allow plain text over the network with --insecure")
        }
    }

    // MARK: Listening

    static func listen(at address: SocketAddress) throws(TransportError) -> Socket {
        let socket = try open(address)
        socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        // An IPv6 wildcard must not take the IPv4 port that another socket of ours has.
        if address.family == AF_INET6 { socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        let bound = address.withAddress { bind(socket.descriptor, $0, $1) }
        guard bound == 0, Glibc.listen(socket.descriptor, 128) == 0 else {
            switch errno {
            case EADDRINUSE:
                throw TransportError(
                    .addressInUse, "\(address) is in use by another process: stop it or choose another port")
            case EACCES:
                throw TransportError(.system, "\(address): this user may not listen there; choose a port above 1023")
            case EADDRNOTAVAIL:
                throw TransportError(.invalidAddress, "\(address) is not an address of this host")
            default: throw .ofSystem("listening at \(address)")
            }
        }
        return socket
    }

    /// Nil when nobody waits.
    func accept() throws(TransportError) -> Socket? {
        while true {
            let descriptor = sl_poll_accept(
                descriptor, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
            if descriptor >= 0 {
                let socket = Socket(descriptor: descriptor)
                socket.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
                return socket
            }
            switch errno {
            case EAGAIN: return nil
            // The connection went before it was accepted, or a signal came.
            case ECONNABORTED, EINTR, EPROTO: continue
            default: throw .ofSystem("accept")
            }
        }
    }

    // MARK: Connecting

    /// Begins to connect; the socket becomes writable when that is decided, and `connectionError` tells how.
    static func connect(to address: SocketAddress) throws(TransportError) -> Socket {
        let socket = try open(address)
        socket.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        let result = address.withAddress { Glibc.connect(socket.descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else { throw connectError(errno, to: address) }
        return socket
    }

    func connectionError(to address: SocketAddress) -> TransportError? {
        var number: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) == 0 else {
            return .ofSystem("getsockopt")
        }
        if number != 0 { return Self.connectError(number, to: address) }
        // A port of the local range can connect to itself when nothing listens there.
        if let own = localAddress, let other = remoteAddress, own.port == other.port, own.host == other.host {
            return Self.connectError(ECONNREFUSED, to: address)
        }
        return nil
    }

    private static func connectError(_ number: Int32, to address: SocketAddress) -> TransportError {
        switch number {
        case ECONNREFUSED:
            TransportError(.refused, "nothing listens at \(address): is the process there started?")
        case ETIMEDOUT:
            TransportError(.timedOut, "no answer from \(address)")
        case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL:
            TransportError(.unreachable, "\(address) cannot be reached: \(TransportError.text(ofErrno: number))")
        default: .ofSystem("connecting to \(address)", errno: number)
        }
    }

    // MARK: Properties

    var localAddress: SocketAddress? { SocketAddress { getsockname(descriptor, $0, $1) } }
    var remoteAddress: SocketAddress? { SocketAddress { getpeername(descriptor, $0, $1) } }

    /// Readiness for reading is told from so many bytes on.
    func setReceiveLowWater(_ byteCount: Int) { set(SOL_SOCKET, SO_RCVLOWAT, Int32(byteCount)) }

    /// What may wait in the kernel without being sent; writing blocks beyond it.
    func limitUnsent(_ byteCount: Int) { set(Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, Int32(byteCount)) }

    /// Bytes a second.
    func limitRate(_ rate: UInt64) { _ = sl_socket_limit_rate(descriptor, rate) }

    /// Keeps the system's where that one is not to be had.
    func chooseCongestionControl(_ name: String) {
        _ = name.withCString {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, $0, socklen_t(name.utf8.count))
        }
    }

    /// What the kernel knows of the connection.
    var connectionState: ConnectionState? {
        var state = sl_socket_state()
        guard sl_socket_read_state(descriptor, &state) == 0 else { return nil }
        let queueMicroseconds = max(0, Int(state.round_trip_us) - Int(state.least_round_trip_us))
        return ConnectionState(
            acknowledgedByteCount: state.acknowledged_bytes, queueDelay: Double(queueMicroseconds) / 1e6)
    }

    struct ConnectionState: Sendable {
        /// Of all bytes written, those that the other end's kernel has.
        let acknowledgedByteCount: UInt64
        /// By how many seconds its packets' round trips are longer than the shortest of the last minutes.
        let queueDelay: Double
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
