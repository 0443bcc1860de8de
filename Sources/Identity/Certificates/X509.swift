import CPlatform

/// The way to the C side: bytes in and out, and what OpenSSL says when it cannot.
enum X509 {
    /// Runs `body`, which gets room for a reason; throws `kind` with `what` and the reason when it does not return 0.
    static func call(
        _ kind: IdentityError.Kind, _ what: @autoclosure () -> String, _ body: (UnsafeMutablePointer<CChar>) -> Int32
    ) throws(IdentityError) {
        let (status, reason) = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(sl_x509_error_size)) {
            room in
            room.initialize(repeating: 0)
            guard let start = room.baseAddress else { return (Int32(-1), "no memory") }
            let status = body(start)
            return (status, status == 0 ? "" : String(cString: start))
        }
        guard status == 0 else { throw IdentityError(kind, "\(what()): \(reason.forPeople)") }
    }

    /// As `call`, for a body that gives bytes; they are wiped in C after they were copied.
    static func bytes(
        _ kind: IdentityError.Kind, _ what: @autoclosure () -> String,
        _ body: (UnsafeMutablePointer<sl_x509_bytes>, UnsafeMutablePointer<CChar>) -> Int32
    ) throws(IdentityError) -> [UInt8] {
        var out = sl_x509_bytes()
        defer { sl_x509_free(&out) }
        try call(kind, what()) { error in withUnsafeMutablePointer(to: &out) { body($0, error) } }
        return Array(UnsafeRawBufferPointer(start: out.bytes, count: out.count))
    }

    static func view(_ bytes: UnsafeRawBufferPointer) -> sl_x509_view {
        sl_x509_view(bytes: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    }

    /// A fixed array of characters of a C structure, up to its zero.
    static func text<Characters>(of characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// Calls `body` with views of all `ders`, which lie in one place for as long as it runs.
    static func withViews<Result>(
        _ ders: [[UInt8]], _ body: (UnsafeBufferPointer<sl_x509_view>) -> Result
    ) -> Result {
        let all = ders.flatMap { $0 }
        return all.withUnsafeBytes { bytes in
            var offset = 0
            let views = ders.map { der in
                defer { offset += der.count }
                return view(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + der.count]))
            }
            return views.withUnsafeBufferPointer(body)
        }
    }
}
