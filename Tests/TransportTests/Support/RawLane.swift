import Glibc
import Memory
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

/// One connection by plain system calls, for saying what a proper peer would not.
final class RawLane: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
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
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
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

    /// Nil when the connection ends before.
    func read(_ count: Int, seconds: Double = 10) async throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        let end = EventLoop.now + .milliseconds(UInt64(seconds * 1000))
        while filled < count {
            let result = bytes[filled...].withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if result > 0 {
                filled += result
            } else if result < 0, errno == EAGAIN {
                guard EventLoop.now < end else { throw RawTimeout() }
                try await Task.sleep(for: .milliseconds(1))
            } else {
                return nil
            }
        }
        return bytes
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
            } catch is RawTimeout {}
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

    init(_ name: String, port: Int, incarnation: UInt64 = 77) async throws {
        node = try #require(NodeID(name))
        self.incarnation = incarnation
        var lanes: [RawLane] = []
        for lane in Lane.allCases {
            let raw = try RawLane(port: port)
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
