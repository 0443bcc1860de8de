import Glibc

extension TransportError {
    /// The failure of a system call, from `errno` unless it is given.
    static func ofSystem(_ call: String, errno number: Int32? = nil) -> TransportError {
        TransportError(.system, "\(call): \(text(ofErrno: number ?? errno))")
    }

    static func text(ofErrno number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        // The XSI form of strerror_r, which is thread-safe.
        guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
