import Foundation
import Synchronization

/// An HTTP server that does exactly what a test says, byte by byte: every connection gets a thread that runs
/// `script`. Plain blocking sockets, so that it shares nothing with what it tests.
final class ScriptedServer: Sendable {
    struct Request: Sendable {
        var line: String
        var headers: [String: String]
        var body: String

        var json: [String: Any]? { try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any] }
    }

    let port: Int
    private let listener: Int32
    private let accepted = Mutex(0)

    /// Connections so far.
    var connectionCount: Int { accepted.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)" }

    init(_ script: @escaping @Sendable (Connection) -> Void) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && listen(descriptor, 256) == 0
                    && getsockname(descriptor, pointer, &size) == 0
            }
        }
        guard isListening else { throw POSIXError(.EADDRINUSE) }
        listener = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while true {
                let peer = accept(descriptor, nil, nil)
                guard peer >= 0 else {
                    _ = Foundation.close(descriptor)
                    return
                }
                let number = accepted.withLock { count in
                    count += 1
                    return count
                }
                Thread.detachNewThread {
                    let connection = Connection(descriptor: peer, number: number)
                    script(connection)
                    connection.close()
                }
            }
        }
    }

    /// No further connections; those that are open go on. The thread that accepts closes the socket: its number
    /// must not become another server's before.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// One connection, used by its script's thread only.
    final class Connection {
        /// From 1.
        let number: Int
        private let descriptor: Int32
        private var received: [UInt8] = []
        private var isOpen = true

        fileprivate init(descriptor: Int32, number: Int) {
            self.descriptor = descriptor
            self.number = number
        }

        /// The next request; nil when the client has closed the connection.
        func request() -> Request? {
            let separator = Array("\r\n\r\n".utf8)
            while received.firstRange(of: separator) == nil {
                guard receive() else { return nil }
            }
            guard let end = received.firstRange(of: separator) else { return nil }
            let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
            received.removeSubrange(..<end.upperBound)
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                headers[line[..<colon].lowercased()] = value
            }
            let length = headers["content-length"].flatMap { Int($0) } ?? 0
            while received.count < length {
                guard receive() else { return nil }
            }
            let body = String(decoding: received.prefix(length), as: UTF8.self)
            received.removeFirst(length)
            return Request(line: lines[0], headers: headers, body: body)
        }

        func send(_ text: String) { send(Array(text.utf8)[...]) }

        func send(_ bytes: ArraySlice<UInt8>) {
            var rest = bytes
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { bytes in
                    Foundation.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        func sendJSON(_ json: String, status: String = "200 OK", headers: String = "") {
            send(
                "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(headers)"
                    + "Content-Length: \(json.utf8.count)\r\n\r\n\(json)")
        }

        /// The head of a stream of events with chunked encoding.
        func beginEvents() {
            send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        }

        func sendChunk(_ text: String) { send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }
        func endChunks() { send("0\r\n\r\n") }

        func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }

        /// Whether the client closes the connection within `seconds`.
        func clientCloses(within seconds: Int = 60) -> Bool {
            var descriptors = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&descriptors, 1, Int32(seconds * 1000)) > 0 {
                if !receive() { return true }
            }
            return false
        }

        func close() {
            guard isOpen else { return }
            isOpen = false
            shutdown(descriptor, Int32(SHUT_RDWR))
            _ = Foundation.close(descriptor)
        }

        private func receive() -> Bool {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            received += buffer[..<count]
            return true
        }
    }
}

extension ScriptedServer {
    /// Answers every request of a connection with what `answer` sends.
    static func answering(
        _ answer: @escaping @Sendable (Connection, Request) -> Void
    ) throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let request = connection.request() { answer(connection, request) }
        }
    }
}
