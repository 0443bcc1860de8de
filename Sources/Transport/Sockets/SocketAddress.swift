import Glibc

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Sendable, CustomStringConvertible {
    private var storage: sockaddr_storage
    private let length: socklen_t

    private init(storage: sockaddr_storage, length: socklen_t) {
        self.storage = storage
        self.length = length
    }

    /// Copies what the system wrote; nil for other families.
    init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        let family = Int32(address.pointee.sa_family)
        guard family == AF_INET || family == AF_INET6, Int(length) <= MemoryLayout<sockaddr_storage>.size else {
            return nil
        }
        storage = sockaddr_storage()
        self.length = length
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
        }
    }

    /// What a call of the `getsockname` family tells.
    init?(_ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { addresses in
                addresses.baseAddress.map { call($0, &length) } ?? -1
            }
        }
        guard result == 0 else { return nil }
        self.init(storage: storage, length: length)
    }

    func withAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    var family: Int32 { Int32(storage.ss_family) }

    var port: Int { numeric.port }
    /// Without a port: "127.0.0.1", "::1".
    var host: String { numeric.host }

    package var description: String {
        let (host, port) = numeric
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Reaches this host only: 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104.
    var isLoopback: Bool {
        withUnsafeBytes(of: storage) { bytes in
            // The address lies behind family and port, and in IPv6 behind the flow number.
            if family == AF_INET { return bytes[4] == 127 }
            let address = bytes[8..<24]
            let tail = address.suffix(6)
            if address.prefix(10).allSatisfy({ $0 == 0 }), tail.prefix(2).allSatisfy({ $0 == 0xFF }) {
                return tail.dropFirst(2).first == 127
            }
            return address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
        }
    }

    /// Where connections come from, as far as one party may hold many addresses: an IPv4 address, or an IPv6 network of
    /// 64 bits.
    struct Origin: Hashable, Sendable {
        fileprivate let bytes: [UInt8]
    }

    var origin: Origin {
        withUnsafeBytes(of: storage) { bytes in
            if family == AF_INET { return Origin(bytes: Array(bytes[4..<8])) }
            let address = bytes[8..<24]
            let isMapped =
                address.prefix(10).allSatisfy { $0 == 0 } && address.dropFirst(10).prefix(2).allSatisfy { $0 == 0xFF }
            return Origin(bytes: isMapped ? Array(address.suffix(4)) : Array(address.prefix(8)))
        }
    }

    private var numeric: (host: String, port: Int) {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let result = withAddress { address, length in
            getnameinfo(
                address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard result == 0 else { return ("?", 0) }
        return (Self.text(host), Int(Self.text(service)) ?? 0)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

// MARK: - Names

extension SocketAddress {
    /// The addresses of a host, in the system's order of preference. Blocks while a name server is asked.
    package static func resolve(
        host: String, port: Int, isPassive: Bool = false, isNumeric: Bool = false
    ) throws(TransportError) -> [SocketAddress] {
        guard (0...65_535).contains(port), isPassive || port > 0 else {
            throw TransportError(.invalidAddress, "\(host):\(port): ports are \(isPassive ? 0 : 1) to 65535")
        }
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw TransportError(.invalidAddress, "a host name is missing before port \(port)")
        }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0) | (isNumeric ? AI_NUMERICHOST : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            let reason = gai_strerror(result).map { String(cString: $0) } ?? "error \(result)"
            throw TransportError(.invalidAddress, "the host name \(host) has no address: \(reason)")
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr,
                let found = SocketAddress(address, length: entry.pointee.ai_addrlen)
            {
                addresses.append(found)
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else {
            throw TransportError(.invalidAddress, "the host name \(host) has no IPv4 or IPv6 address")
        }
        return addresses
    }
}
