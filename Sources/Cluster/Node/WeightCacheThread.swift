import CPlatform
import Foundation
import Inference
import Logging

/// Writes packed weights into the cache, on a thread of its own that only takes what time is left.
final class WeightCacheThread: Sendable {
    private let wakeUp = DispatchSemaphore(value: 0)

    /// The thread lives as long as the process: a node keeps its cache.
    init(_ cache: WeightCache) {
        let thread = Thread { [wakeUp] in
            sl_thread_lower_priority()
            while true {
                wakeUp.wait()
                cache.writePending()
            }
        }
        thread.name = "weight cache"
        thread.start()
    }

    /// Something was packed that is not in the cache yet.
    func wake() { wakeUp.signal() }

    /// How a node tells its log about its cache.
    static func log(_ event: WeightCache.Event, to logger: Logger) {
        switch event {
        case .outdated(let path, let reason): logger.debug("\(path) \(reason); packing the tensor anew")
        case .refused(let path, let reason):
            logger.warning("\(path) \(reason); packing the tensor anew from the model and replacing the file")
        case .stored(let path, let byteCount): logger.debug("stored \(byteCount >> 10) KiB of weights in \(path)")
        case .notStored(let path, let reason): logger.warning("packed weights are not kept in \(path): \(reason)")
        }
    }
}
