import Glibc

/// TCP by plain system calls: what the transport is held against.
enum BareSocket {
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ call: String) { description = "\(call): \(String(cString: strerror(errno)))" }
    }

    /// A listening socket and its port, which the system chooses.
    static func listen(host: String) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket") }
        var address = try address(host: host, port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard result else { throw Failure("listening at \(host)") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    static func accept(_ listener: Int32) throws -> Int32 {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor >= 0 {
                setNoDelay(descriptor)
                return descriptor
            }
            guard errno == EINTR || errno == ECONNABORTED else { throw Failure("accept") }
        }
    }

    static func connect(host: String, port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket") }
        let address = try address(host: host, port: port)
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure("connecting to \(host):\(port)") }
        setNoDelay(descriptor)
        return descriptor
    }

    private static func address(host: String, port: Int) throws -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw Failure("\(host) is no IPv4 address") }
        return address
    }

    private static func setNoDelay(_ descriptor: Int32) {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    static func setNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    // MARK: Blocking

    /// False when the other end has closed.
    static func readAll(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer, atOnce: Int = .max) -> Bool {
        var filled = 0
        while filled < bytes.count {
            let count = recv(descriptor, bytes.baseAddress! + filled, min(atOnce, bytes.count - filled), 0)
            if count > 0 { filled += count } else if count == 0 || errno != EINTR { return false }
        }
        return true
    }

    static func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, atOnce: Int = .max) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = send(
                descriptor, bytes.baseAddress! + sent, min(atOnce, bytes.count - sent), Int32(MSG_NOSIGNAL))
            if count > 0 { sent += count } else if errno != EINTR { return false }
        }
        return true
    }
}
