import Foundation
import Transport
import Vocabulary

/// Ping-pong over a bare socket, or over OpenSSL's own calls.
final class BareEcho: EchoPath, Sendable {
    let name: String
    private let channel: BareChannel
    private let byteCount: Int

    /// - Parameter tls: nil for plain text.
    init(host: String, port: Int, style: BareChannel.Style, byteCount: Int, tls: BareTLSContext?) throws {
        name = tls == nil ? "bare \(style)" : "bare OpenSSL \(style)"
        self.byteCount = byteCount
        let stream = try BareServer.connect(
            host: host, port: port, style == .epoll ? .echoEpoll : .echoBlocking, byteCount: byteCount, tls: tls)
        channel = try BareChannel(stream, style: style)
    }

    func run(count: Int, pause: Duration?) async throws -> [Double] {
        let (byteCount, channel) = (byteCount, channel)
        return try await BlockingWork.run {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
            defer { bytes.deallocate() }
            bytes.initializeMemory(as: UInt8.self, repeating: 1)
            var samples: [Double] = []
            samples.reserveCapacity(count)
            for _ in 0..<count {
                let begin = EventLoop.now
                guard channel.write(UnsafeRawBufferPointer(bytes)), channel.read(bytes) else {
                    throw BareSocket.Failure("the bare echo")
                }
                samples.append(Double((EventLoop.now - begin).nanoseconds) / 1000)
                if let pause { Thread.sleep(forTimeInterval: pause / .seconds(1)) }
            }
            return samples
        }
    }
}
