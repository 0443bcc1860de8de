/// What a connection is for, agreed on in the TLS handshake (ALPN).
enum TLSProtocol: String, CaseIterable, Sendable {
    case lane = "shardline/1"
    case enrolment = "shardline-enrol/1"
}

extension TLSProtocol {
    /// A list in the form that OpenSSL takes, which lives for ever.
    struct List: @unchecked Sendable {
        // `@unchecked Sendable`: never changed.
        let bytes: UnsafeBufferPointer<UInt8>

        init(_ protocols: [TLSProtocol]) {
            let list = protocols.flatMap {
                [UInt8(truncatingIfNeeded: $0.rawValue.utf8.count)] + Array($0.rawValue.utf8)
            }
            let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: list.count)
            _ = bytes.initialize(from: list)
            self.bytes = UnsafeBufferPointer(bytes)
        }

        /// Without the length of the first protocol.
        var name: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes.dropFirst()) }
    }

    static let all = List(TLSProtocol.allCases)
    static let laneAlone = List([.lane])
    static let enrolmentAlone = List([.enrolment])
}
