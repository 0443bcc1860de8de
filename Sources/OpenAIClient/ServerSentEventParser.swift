/// Server-sent events out of bytes that arrive in pieces of any size (https://html.spec.whatwg.org, 9.2.6):
/// lines end in LF, CR or CRLF, lines that begin with a colon are comments, an empty line ends an event.
public struct ServerSentEventParser: Sendable {
    public struct Event: Hashable, Sendable {
        /// The `event` field; nil when there was none.
        public var name: String?
        /// All `data` fields, joined by line feeds.
        public var data: String
    }

    /// A line or an event longer than the parser's limit.
    public struct TooLong: Error, Hashable, Sendable, CustomStringConvertible {
        public var byteCountMax: Int
        public var description: String { "an event of the stream is longer than \(byteCountMax) bytes" }
    }

    private let byteCountMax: Int
    private var line: [UInt8] = []
    private var data: [UInt8]?
    private var name: String?
    private var lastWasCarriageReturn = false
    private var isFirstLine = true

    /// - Parameter byteCountMax: of a line, and of an event's data.
    public init(byteCountMax: Int = 16 << 20) { self.byteCountMax = byteCountMax }

    /// The events that `bytes` complete. What the stream's end leaves incomplete is no event.
    public mutating func append(_ bytes: some Sequence<UInt8>) throws(TooLong) -> [Event] {
        let bytes = Array(bytes)
        var events: [Event] = []
        var index = 0
        while index < bytes.count {
            let end = Self.lineEnd(in: bytes, from: index)
            if end > index {
                lastWasCarriageReturn = false
                guard line.count + (end - index) <= byteCountMax else { throw TooLong(byteCountMax: byteCountMax) }
                line.append(contentsOf: bytes[index..<end])
            }
            guard end < bytes.count else { break }
            let isCarriageReturn = bytes[end] == UInt8(ascii: "\r")
            // The line feed of a CRLF ends nothing: its carriage return did.
            if isCarriageReturn || !lastWasCarriageReturn { try endLine(&events) }
            lastWasCarriageReturn = isCarriageReturn
            index = end + 1
        }
        return events
    }

    /// The index of the next CR or LF, or the count.
    private static func lineEnd(in bytes: [UInt8], from start: Int) -> Int {
        bytes.withUnsafeBufferPointer { bytes in
            var index = start
            while index < bytes.count, bytes[index] != UInt8(ascii: "\n"), bytes[index] != UInt8(ascii: "\r") {
                index += 1
            }
            return index
        }
    }

    private mutating func endLine(_ events: inout [Event]) throws(TooLong) {
        defer {
            line.removeAll(keepingCapacity: true)
            isFirstLine = false
        }
        if isFirstLine, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        guard !line.isEmpty else {
            if let data { events.append(Event(name: name, data: String(decoding: data, as: UTF8.self))) }
            data = nil
            name = nil
            return
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        let field = line[..<colon]
        if field.elementsEqual("data".utf8) {
            guard (data?.count ?? 0) + value.count < byteCountMax else { throw TooLong(byteCountMax: byteCountMax) }
            if data == nil {
                data = Array(value)
            } else {
                data?.append(UInt8(ascii: "\n"))
                data?.append(contentsOf: value)
            }
        } else if field.elementsEqual("event".utf8) {
            name = String(decoding: value, as: UTF8.self)
        }
        // Comments (an empty field name), ids, retry times and unknown fields say nothing here.
    }
}
