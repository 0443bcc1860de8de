import Glibc
import Testing

/// Accepts connections in the kernel, and never says a word.
final class SilentListener: Sendable {
    let port: Int
    private let descriptor: Int32

    /// - Parameter accepts: false only keeps the port, so that connections to it are refused.
    init(accepts: Bool = true) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) + (accepts ? listen(descriptor, 16) : 0)
                    + getsockname(descriptor, $0, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        try #require(result == 0)
    }

    /// What the first one to come says at the beginning.
    func firstBytes() async throws -> [UInt8] {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        var bytes = [UInt8](repeating: 0, count: 4096)
        var connection: Int32 = -1
        defer { if connection >= 0 { close(connection) } }
        for _ in 0..<10_000 {
            if connection < 0 { connection = accept(descriptor, nil, nil) }
            let count = connection < 0 ? 0 : recv(connection, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            if count > 0 { return Array(bytes.prefix(count)) }
            try await Task.sleep(for: .milliseconds(1))
        }
        return []
    }

    deinit { close(descriptor) }
}
