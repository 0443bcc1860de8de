/// Reads recorded arrivals and lengths in the form of the Azure LLM inference traces of 2023 and 2024:
///
///     TIMESTAMP,ContextTokens,GeneratedTokens
///     2023-11-16 18:15:46.6805900,374,44
///
/// The three columns may stand in any order and among others; lines end in LF or CRLF; fields have no quotes.
public enum RequestTrace {
    public static let tokenCountMax = 10_000_000
    public static let rowCountMax = 10_000_000
    /// Longer lines are refused.
    public static let lineByteCountMax = 4096

    private struct Columns {
        var timestamp: Int
        var promptTokens: Int
        var outputTokens: Int
        var count: Int
    }

    /// At least one row, in the order of time.
    public static func rows(csv: [UInt8]) throws(TraceError) -> [TraceRow] {
        var rows: [TraceRow] = []
        var columns: Columns?
        var firstTime: TraceTime?
        var lineNumber = 0
        var start = csv.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        while start < csv.count {
            lineNumber += 1
            let end = csv[start...].firstIndex(of: UInt8(ascii: "\n")) ?? csv.count
            var line = csv[start..<end]
            start = end + 1
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard line.count <= lineByteCountMax else {
                throw TraceError(line: lineNumber, message: "the line is longer than \(lineByteCountMax) bytes")
            }
            let fields = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map(trimmed)
            guard let known = columns else {
                columns = try header(fields)
                continue
            }
            if line.isEmpty { continue }
            guard rows.count < rowCountMax else {
                throw TraceError(line: lineNumber, message: "more than \(rowCountMax) requests")
            }
            let (time, promptTokenCount, outputTokenCount) = try row(fields, known, line: lineNumber)
            let first = firstTime ?? time
            firstTime = first
            guard let arrival = time.nanoseconds(since: first), arrival >= rows.last?.arrivalNanoseconds ?? 0 else {
                throw TraceError(
                    line: lineNumber, message: "the time is before the line above's; sort the file by TIMESTAMP")
            }
            rows.append(
                TraceRow(
                    arrivalNanoseconds: arrival, promptTokenCount: promptTokenCount,
                    outputTokenCount: outputTokenCount))
        }
        guard columns != nil else { throw TraceError(line: 1, message: "the file is empty; \(headerAdvice)") }
        guard !rows.isEmpty else { throw TraceError(line: lineNumber, message: "no request follows the header") }
        return rows
    }

    private static let headerAdvice = "it must begin with the line TIMESTAMP,ContextTokens,GeneratedTokens"

    private static func header(_ fields: [ArraySlice<UInt8>]) throws(TraceError) -> Columns {
        func column(_ name: String) throws(TraceError) -> Int {
            let places = fields.indices.filter { lowercased(fields[$0]) == Array(name.lowercased().utf8) }
            guard let place = places.first else {
                throw TraceError(line: 1, message: "the header has no column \(name); \(headerAdvice)")
            }
            guard places.count == 1 else { throw TraceError(line: 1, message: "the header has \(name) twice") }
            return place
        }
        return Columns(
            timestamp: try column("TIMESTAMP"), promptTokens: try column("ContextTokens"),
            outputTokens: try column("GeneratedTokens"), count: fields.count)
    }

    private static func row(
        _ fields: [ArraySlice<UInt8>], _ columns: Columns, line: Int
    ) throws(TraceError) -> (TraceTime, Int, Int) {
        guard fields.count == columns.count else {
            throw TraceError(line: line, message: "\(fields.count) fields, but the header has \(columns.count)")
        }
        guard let time = TraceTime(fields[columns.timestamp]) else {
            throw TraceError(
                line: line,
                message: "TIMESTAMP is '\(shown(fields[columns.timestamp]))'; "
                    + "it must look like 2023-11-16 18:15:46.6805900")
        }
        func count(_ field: ArraySlice<UInt8>, _ name: String) throws(TraceError) -> Int {
            let isNumber = !field.isEmpty && field.count <= 9 && field.allSatisfy { (0x30...0x39).contains($0) }
            let value = isNumber ? field.reduce(0) { $0 * 10 + Int($1 - 0x30) } : -1
            guard (0...tokenCountMax).contains(value) else {
                throw TraceError(
                    line: line,
                    message: "\(name) is '\(shown(field))'; it must be a whole number from 0 to \(tokenCountMax)")
            }
            return value
        }
        return (
            time, try count(fields[columns.promptTokens], "ContextTokens"),
            try count(fields[columns.outputTokens], "GeneratedTokens")
        )
    }

    private static func trimmed(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var field = field
        while let first = field.first, first == 0x20 || first == 0x09 { field.removeFirst() }
        while let last = field.last, last == 0x20 || last == 0x09 { field.removeLast() }
        return field
    }

    private static func lowercased(_ field: ArraySlice<UInt8>) -> [UInt8] {
        field.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    }

    /// For a message: short, and on one line.
    private static func shown(_ field: ArraySlice<UInt8>) -> String {
        let printable = field.prefix(40).map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }
        let text = String(decoding: printable, as: UTF8.self)
        return field.count > 40 ? text + "..." : text
    }
}
