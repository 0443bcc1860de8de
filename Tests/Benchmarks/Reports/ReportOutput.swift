import ArgumentParser
import Foundation

/// Where results go: the tables to standard output, and as JSON where asked.
struct ReportOutput: ParsableArguments {
    @Option(help: "Write the results as JSON to this file; - writes them to standard output, and the tables to stderr.")
    var json: String?

    func write(_ report: some Encodable, text: String) throws {
        guard let json else { return print(text, terminator: "") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let data = try encoder.encode(report)
        if json == "-" {
            Progress.say(text)
            print(String(decoding: data, as: UTF8.self))
        } else {
            print(text, terminator: "")
            try (data + Data("\n".utf8)).write(to: URL(fileURLWithPath: json), options: .atomic)
        }
    }
}
