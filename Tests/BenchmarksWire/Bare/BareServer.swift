import Foundation
import Glibc

/// The other end of the bare loops: a thread for each connection. The client says first, in plain text, what it wants
/// and of how many bytes a message is; then both shake hands if there is TLS.
enum BareServer {
    enum Wish: UInt64 {
        case echoBlocking = 1
        case echoEpoll = 2
        /// Reads messages and answers each with one byte.
        case sink = 3
    }

    /// Returns the port.
    ///
    /// - Parameter tls: nil for plain text.
    static func start(host: String, tls: BareTLSContext?) throws -> Int {
        let (listener, port) = try BareSocket.listen(host: host)
        Thread.detachNewThread {
            while let descriptor = try? BareSocket.accept(listener) {
                Thread.detachNewThread { serve(descriptor, tls) }
            }
        }
        return port
    }

    private static func serve(_ descriptor: Int32, _ context: BareTLSContext?) {
        var words: [UInt64] = [0, 0, 0, 0]
        guard words.withUnsafeMutableBytes({ BareSocket.readAll(descriptor, $0) }), let wish = Wish(rawValue: words[0]),
            let stream = try? secure(descriptor, context, readsAhead: words[3] != 0)
        else {
            close(descriptor)
            return
        }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(words[1]), alignment: 4096)
        defer { bytes.deallocate() }
        switch wish {
        case .echoBlocking, .echoEpoll:
            guard let channel = try? BareChannel(stream, style: wish == .echoEpoll ? .epoll : .blocking) else { return }
            while channel.read(bytes), channel.write(UnsafeRawBufferPointer(bytes)) {}
        case .sink:
            let one: [UInt8] = [1]
            // Touched before anybody measures.
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            while stream.readAll(bytes, atOnce: Int(words[2])) {
                guard one.withUnsafeBytes({ stream.writeAll($0) }) else { return }
            }
        }
    }

    private static func secure(_ descriptor: Int32, _ context: BareTLSContext?, readsAhead: Bool) throws -> BareStream {
        guard let context else { return BareStream(descriptor) }
        return BareStream(
            descriptor, tls: try BareTLS(descriptor, context, accepts: true, readsAhead: readsAhead))
    }

    /// A connection that has said what it wants.
    static func connect(
        host: String, port: Int, _ wish: Wish, byteCount: Int, atOnce: Int = 0, tls: BareTLSContext?,
        readsAhead: Bool = false
    ) throws -> BareStream {
        let descriptor = try BareSocket.connect(host: host, port: port)
        let words: [UInt64] = [wish.rawValue, UInt64(byteCount), UInt64(atOnce), readsAhead ? 1 : 0]
        guard words.withUnsafeBytes({ BareSocket.writeAll(descriptor, $0) }) else {
            throw BareSocket.Failure("writing to the bare server")
        }
        return BareStream(
            descriptor, tls: try tls.map { try BareTLS(descriptor, $0, accepts: false, readsAhead: readsAhead) })
    }
}
