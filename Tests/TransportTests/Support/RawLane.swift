import Glibc
import Memory
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

/// One connection by plain system calls, encrypted if the test is, for saying what a proper peer would not.
final class RawLane: Sendable {
    private let descriptor: Int32
    /// Nil for plain text.
    let tls: RawTLS?

    /// - Parameter node: whose certificate is shown.
    convenience init(port: Int, node: String = "raw", mode: TestMode = .current, from: UInt32 = 1) throws {
        try self.init(
            port: port,
            tls: mode == .plain
                ? nil : RawTLS(try TestAuthority.get().credentials(node)), from: from)
    }

    /// - Parameter from: the last byte of an address 127.0.0.x.
    init(port: Int, tls: RawTLS?, from: UInt32 = 1) throws {
        self.tls = tls
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = (0x7F00_0000 + from).bigEndian
        let descriptor = descriptor
        if from != 1 {
            _ = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit { close(descriptor) }

    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// False when the other end takes no more.
    @discardableResult
    func write(_ bytes: [UInt8]) async throws -> Bool {
        guard let tls else { return try await send(bytes) }
        do {
            guard try await shakeHands(tls) else { return false }
            try tls.encrypt(bytes)
        } catch is RawTLS.Broken {
            return false
        }
        return try await send(tls.takeCiphertext())
    }

    /// As they are, in plain text or within an encrypted stream.
    @discardableResult
    func send(_ bytes: [UInt8]) async throws -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                try await Task.sleep(for: .milliseconds(1))
            } else {
                return false
            }
        }
        return true
    }

    /// False when the connection ends before the handshake is over; throws when it fails.
    func shakeHands(_ tls: RawTLS) async throws -> Bool {
        while true {
            let isOver = try tls.shakeHands()
            try await send(tls.takeCiphertext())
            if isOver { return true }
            guard let more = try await receive(1 << 16, until: EventLoop.now + .seconds(10)) else { return false }
            tls.add(more)
        }
    }

    /// Nil when the connection ends before.
    func read(_ count: Int, seconds: Double = 10) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        let end = EventLoop.now + .milliseconds(UInt64(seconds * 1000))
        if let tls, try await !shakeHands(tls) { return nil }
        while bytes.count < count {
            let rest = count - bytes.count
            guard let piece = try await tls == nil ? receive(rest, until: end) : decrypt(rest, until: end) else {
                return nil
            }
            bytes += piece
        }
        return bytes
    }

    private func decrypt(_ countMax: Int, until end: Instant) async throws -> [UInt8]? {
        guard let tls else { return nil }
        while true {
            do {
                if let bytes = try tls.decrypt(countMax) { return bytes.isEmpty ? nil : bytes }
            } catch is RawTLS.Broken {
                return nil
            }
            guard let more = try await receive(1 << 16, until: end) else { return nil }
            tls.add(more)
        }
    }

    /// At least one byte, as it comes from the system; nil at the end.
    func receive(_ countMax: Int, until end: Instant) async throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: countMax)
        while true {
            let result = recv(descriptor, &bytes, countMax, 0)
            if result > 0 { return Array(bytes.prefix(result)) }
            guard result < 0, errno == EAGAIN else { return nil }
            guard EventLoop.now < end else { throw RawTimeout() }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    struct RawTimeout: Error {}

    struct Frame {
        let header: FrameHeader
        let control: [UInt8]
        let bulk: [UInt8]
    }

    /// The next frame but pings and pongs; nil when the connection ends.
    func readFrame(keepsPings: Bool = false, seconds: Double = 10) async throws -> Frame? {
        while true {
            guard let head = try await read(FrameHeader.byteCount, seconds: seconds) else { return nil }
            let header = try head.withUnsafeBytes { try FrameHeader(parsing: $0) }
            let control = try await read(header.controlByteCount, seconds: seconds)
            let bulk = try await read(header.bulkByteCount, seconds: seconds)
            guard let control, let bulk else { return nil }
            if keepsPings || (header.kind != .ping && header.kind != .pong) {
                return Frame(header: header, control: control, bulk: bulk)
            }
        }
    }

    /// Reads whatever comes until the connection ends; false when it does not.
    func isEnded(within seconds: Double) async throws -> Bool {
        let end = EventLoop.now + .milliseconds(UInt64(seconds * 1000))
        while EventLoop.now < end {
            do {
                if try await read(1, seconds: 0.01) == nil { return true }
            } catch is RawTimeout {
            } catch is RawTLS.Broken {
                return true
            }
        }
        return false
    }

    func write(
        _ kind: FrameKind, control: [UInt8] = [], bulk: [UInt8] = [], incarnation: UInt64, method: UInt16 = 0,
        call: UInt64 = 0, object: UInt64 = 0, _ change: (inout FrameHeader) -> Void = { _ in }
    ) async throws {
        try await write(
            Self.frame(
                kind, control: control, bulk: bulk, incarnation: incarnation, method: method, call: call,
                object: object, change))
    }

    static func frame(
        _ kind: FrameKind, control: [UInt8] = [], bulk: [UInt8] = [], incarnation: UInt64, method: UInt16 = 0,
        call: UInt64 = 0, object: UInt64 = 0, _ change: (inout FrameHeader) -> Void = { _ in }
    ) -> [UInt8] {
        var header = FrameHeader(
            kind: kind, flags: control.isEmpty && bulk.isEmpty ? [] : .checksummed, method: method,
            controlByteCount: control.count, bulkByteCount: bulk.count, call: call, actor: object,
            stamp: FrameStamp(incarnation: Incarnation(incarnation)))
        header.bodyChecksum = control.withUnsafeBytes { CRC32C.checksum($0) }
        header.bodyChecksum = bulk.withUnsafeBytes { CRC32C.extend(header.bodyChecksum, with: $0) }
        change(&header)
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { header.encode(into: $0) }
        return bytes + control + bulk
    }
}

/// A peer by plain system calls, with all lanes welcomed.
struct RawPeer: Sendable {
    let node: NodeID
    let incarnation: UInt64
    let lanes: [RawLane]

    var control: RawLane { lanes[0] }
    var activations: RawLane { lanes[1] }

    /// An optimised build lets a local variable go after its last use, and with it would go lanes that a test still
    /// counts on: so they stay open until the tests end, or until they are hung up.
    private static let kept = Mutex<[RawLane]>([])

    init(
        _ name: String, port: Int, incarnation: UInt64 = 77, mode: TestMode = .current
    ) async throws {
        node = try #require(NodeID(name))
        self.incarnation = incarnation
        var lanes: [RawLane] = []
        for lane in Lane.allCases {
            let raw = try RawLane(port: port, node: name, mode: mode)
            let hello = Hello(
                programVersion: "raw", node: node, incarnation: Incarnation(incarnation), role: "node", lane: lane,
                link: 5)
            try await raw.write(.hello, control: try hello.encodeControl(), incarnation: incarnation)
            let welcome = try #require(try await raw.readFrame())
            try #require(welcome.header.kind == .welcome)
            lanes.append(raw)
        }
        Self.kept.withLock { [lanes] in $0 += lanes }
        self.lanes = lanes
    }

    func hangUp() {
        for lane in lanes { lane.hangUp() }
    }
}
