import Foundation
import Glibc
import Synchronization
import Testing
import Vocabulary
import Wire

/// Passes connections in plain text on to a process, and cuts single lanes.
final class CuttableProxy: Sendable {
    let port: Int
    private let listener: Int32
    private let target: Int
    private struct State: Sendable {
        /// Both descriptors of the last connection of each lane.
        var pairs: [Lane: [Int32]] = [:]
        var refuses = false
        var generations: [Lane: [UInt32]] = [:]
        /// Bytes of a lane's connection and direction after which no more are passed on.
        var limits: [Lane: Int] = [:]
    }
    private let state = Mutex(State())

    init(target: Int) throws {
        self.target = target
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = descriptor
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) + listen(descriptor, 16) + getsockname(descriptor, $0, &length)
            }
        }
        try #require(result == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0, let self else { return }
                Thread.detachNewThread { self.serve(accepted) }
            }
        }
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// Passes on about so many bytes of the lane each way, and then no more until it is cut.
    func hold(_ lane: Lane, afterByteCount count: Int) { state.withLock { $0.limits[lane] = count } }

    /// Ends the lane's connection at both its ends.
    func cut(_ lane: Lane) {
        let pair = state.withLock { state in
            state.limits[lane] = nil
            return state.pairs.removeValue(forKey: lane) ?? []
        }
        for descriptor in pair { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Later connections are closed at once.
    func refuse(_ refuses: Bool) { state.withLock { $0.refuses = refuses } }

    /// Of the hellos that came for a lane.
    func generations(of lane: Lane) -> [UInt32] { state.withLock { $0.generations[lane] ?? [] } }

    func end() {
        refuse(true)
        shutdown(listener, Int32(SHUT_RDWR))
        for lane in Lane.allCases { cut(lane) }
    }

    private func serve(_ near: Int32) {
        let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        for descriptor in [near, far] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        let address = Self.address(port: target)
        let isConnected = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(far, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected, let (hello, bytes) = Self.readHello(near) else { return Self.close(near, far) }
        let isWelcome = state.withLock { state in
            state.generations[hello.lane, default: []].append(hello.generation)
            guard !state.refuses else { return false }
            state.pairs[hello.lane] = [near, far]
            return true
        }
        guard isWelcome, Self.write(far, bytes) else { return Self.close(near, far) }
        Thread.detachNewThread { self.pump(far, near, hello.lane) }
        pump(near, far, hello.lane)
    }

    private static func close(_ descriptors: Int32...) {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }

    /// Descriptors stay open until the process ends: their numbers must not become others'.
    private func pump(_ from: Int32, _ to: Int32, _ lane: Lane) {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        var passedCount = 0
        while true {
            let count = recv(from, &bytes, bytes.count, 0)
            guard count > 0, Self.write(to, Array(bytes[..<count])) else { break }
            passedCount += count
            while state.withLock({ $0.limits[lane].map { passedCount > $0 } ?? false }) { usleep(1000) }
        }
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }

    private static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private static func read(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(descriptor, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }

    private static func readHello(_ descriptor: Int32) -> (Hello, [UInt8])? {
        guard let head = read(descriptor, FrameHeader.byteCount),
            let header = try? head.withUnsafeBytes({ try FrameHeader(parsing: $0) }),
            let control = read(descriptor, header.controlByteCount),
            let hello = try? control.withUnsafeBytes({ try Hello(control: $0, stamp: header.stamp, bulk: nil) })
        else { return nil }
        return (hello, head + control)
    }
}
