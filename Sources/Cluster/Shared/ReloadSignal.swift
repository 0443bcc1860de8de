import Dispatch
import Foundation

/// SIGHUP: asks to read files again.
public enum ReloadSignal {
    /// For the rest of the process's life.
    public static func watch(reload: @escaping @Sendable () -> Void) {
        signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
        source.setEventHandler { reload() }
        source.resume()
        // Never let go: a source that is gone hears nothing.
        _ = Unmanaged.passRetained(source as AnyObject)
    }
}
