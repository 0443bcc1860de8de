import Foundation
import NIOCore

/// Why the gateway could not serve.
public struct GatewayError: Error, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        /// Another process listens there.
        case addressInUse
        /// The address is not one of this machine, not allowed, or not an address.
        case cannotBind
    }
    public let kind: Kind
    /// Names the address and the fix.
    public let message: String

    public var description: String { message }

    init(_ error: IOError, host: String, port: Int) {
        switch error.errnoCode {
        case EADDRINUSE:
            kind = .addressInUse
            message = "\(host):\(port) is in use by another process; stop it or choose another port with --port"
        case EACCES:
            kind = .cannotBind
            message = "\(host):\(port) may not be listened on without privileges; choose a port above 1023 with --port"
        case EADDRNOTAVAIL:
            kind = .cannotBind
            message = "\(host):\(port) cannot be listened on: no address of this machine; choose one with --host"
        default:
            kind = .cannotBind
            message = "\(host):\(port) cannot be listened on: \(error); choose another with --host and --port"
        }
    }

    init(unknownHost host: String) {
        kind = .cannotBind
        message = "'\(host)' is not the address of any host; choose one of this machine with --host"
    }
}
