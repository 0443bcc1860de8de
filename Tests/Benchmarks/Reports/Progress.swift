import Foundation

/// What is going on, for the person who waits: on standard error, apart from the results.
enum Progress {
    static func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
