import Foundation
import Memory
import Synchronization
import Transport
import Wire

/// Sends every frame back.
enum FrameServer {
    /// Returns the port.
    static func start(host: String, process: WireProcess) throws -> Int {
        let (loop, pool, security) = (process.loop, process.pool, process.security)
        let (listener, port) = try BareSocket.listen(host: host)
        let links = LinkList()
        Thread.detachNewThread {
            while let descriptor = try? BareSocket.accept(listener) {
                loop.execute {
                    let link = try? FrameLink.adopt(
                        descriptor, security: security, accepts: true, loop: loop, pool: pool,
                        onFrame: { link, _, control, bulk in
                            guard let probe = try? WireProbe(control: control, stamp: .none, bulk: bulk) else {
                                return link.close()
                            }
                            try? link.send(probe)
                        }, onEnded: { _ in })
                    if let link { links.keep(link) }
                }
            }
        }
        return port
    }

    private final class LinkList: Sendable {
        private let links = Mutex<[FrameLink]>([])
        func keep(_ link: FrameLink) { links.withLock { $0.append(link) } }
    }
}
