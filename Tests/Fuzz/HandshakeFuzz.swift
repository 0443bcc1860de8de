import Memory
import Vocabulary
import Wire

/// What is said before anybody has shown who they are, hello to enrolled: random messages, damaged, in frames whose
/// checksums fit. What is accepted keeps to the limits and has room in its own frame.
struct HandshakeFuzz: FuzzSubject {
    private struct Seed {
        let kind: FrameKind
        let message: any WireValue
    }

    /// - Parameter corpusPath: none can be given; the messages are made for each case.
    init(corpusPath: String?) throws {
        guard corpusPath == nil else { throw FuzzFailure("the handshake takes no corpus") }
    }

    mutating func run(_ random: inout FuzzRandom) throws -> Bool {
        let seed = Self.message(&random)
        var control = try seed.message.encodeControl()
        if !control.isEmpty, !random.once(in: 16) {
            ByteMutator.mutate(&control, headByteCount: control.count, &random)
        }
        // Now and then the wrong kind for the message.
        let kinds = FrameKind.allCases.filter(\.isHandshake)
        let kind = random.once(in: 16) ? kinds[random.below(kinds.count)] : seed.kind
        var header = FrameHeader(kind: kind, controlByteCount: control.count)
        if random.once(in: 2) {
            header.flags = .checksummed
            header.bodyChecksum = control.withUnsafeBytes { CRC32C.checksum($0) }
        }
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { header.encode(into: $0) }
        do throws(WireError) {
            return try receive(bytes, control)
        } catch {
            guard error.message.count > 10, error.message.utf8.count < 1000 else {
                throw FuzzFailure("an error says too little or too much: \(error.message.prefix(200))")
            }
            return false
        }
    }

    private func receive(_ header: [UInt8], _ control: [UInt8]) throws(WireError) -> Bool {
        let header = try Self.withBytes(of: header) { bytes throws(WireError) in try FrameHeader(parsing: bytes) }
        let value = try Self.withBytes(of: control) { bytes throws(WireError) -> any WireValue in
            try header.verifyBody(control: bytes, bulk: UnsafeRawBufferPointer(start: nil, count: 0))
            return try Self.type(of: header.kind).init(control: bytes, stamp: header.stamp, bulk: nil)
        }
        if let enrolled = value as? Enrolled {
            precondition(enrolled.certificates.count <= MessageLimits.certificateCountMax)
            precondition(enrolled.certificates.allSatisfy { $0.count <= MessageLimits.certificateByteCountMax })
            precondition(enrolled.revokedSerials.count <= MessageLimits.serialCountMax)
        }
        if let enrol = value as? Enrol {
            precondition(enrol.certificateRequest.count <= MessageLimits.requestByteCountMax)
        }
        let again = try value.encodeControl()
        try FrameHeader(kind: header.kind, controlByteCount: again.count).validate()
        return true
    }

    private static func type(of kind: FrameKind) -> any WireValue.Type {
        switch kind {
        case .hello: Hello.self
        case .welcome: Welcome.self
        case .enrol: Enrol.self
        case .enrolled: Enrolled.self
        default: RemoteFailure.self
        }
    }

    /// A copy of its own: the sanitizer sees a byte read beyond the end.
    private static func withBytes<Result>(
        of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> Result
    ) throws(WireError) -> Result {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return try body(UnsafeRawBufferPointer(copy))
    }
}

// MARK: - Messages

extension HandshakeFuzz {
    private static func message(_ random: inout FuzzRandom) -> Seed {
        let node = NodeID(text(1 + random.below(64), &random)) ?? .coordinator
        let role = ["coordinator", "node", "operator"][random.below(3)]
        let incarnation = Incarnation(random.next())
        switch random.below(6) {
        case 0:
            return Seed(
                kind: .hello,
                message: Hello(
                    programVersion: text(random.below(64), &random), node: node, incarnation: incarnation, role: role,
                    lane: Lane.allCases[random.below(3)], listenPort: random.below(65_536),
                    host: text(random.below(64), &random), link: random.next()))
        case 1:
            return Seed(
                kind: .welcome, message: Welcome(version: 1, node: node, incarnation: incarnation, role: role))
        case 2:
            return Seed(
                kind: .refuse,
                message: RemoteFailure(code: text(random.below(64), &random), message: text(200, &random)))
        case 3, 4:
            return Seed(
                kind: .enrol,
                message: Enrol(
                    tokenID: text(random.below(64), &random), secret: text(random.below(128), &random),
                    certificateRequest: bytes(random.below(1000), &random), role: role, node: node))
        default:
            return Seed(
                kind: .enrolled,
                message: Enrolled(
                    certificates: (0..<random.below(9)).map { _ in bytes(random.below(1200), &random) },
                    revokedSerials: (0..<random.below(40)).map { _ in
                        String((1 << 60) | random.next() >> 4, radix: 16)
                    }))
        }
    }

    private static func bytes(_ count: Int, _ random: inout FuzzRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8(random.below(256)) }
    }

    private static func text(_ count: Int, _ random: inout FuzzRandom) -> String {
        let letters = Array("abcxyzABCXYZ0189._-")
        return String((0..<count).map { _ in letters[random.below(letters.count)] })
    }
}
