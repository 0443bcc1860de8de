import Glibc

/// `shardline-fuzz SUBJECT [--seed S] [--count N] [--first I] [--corpus FILE]`
///
/// Feeds mutated input to one of the parsers. Every case must end in success or in the parser's own error; a crash, a
/// sanitizer's report or a case that takes too long fails the run and names the case, which `--first I --count 1`
/// repeats alone.
@main
enum Main {
    /// A file a subject; add new ones here.
    private static let subjects: [(name: String, type: any FuzzSubject.Type)] = [
        ("gguf", GGUFFuzz.self),
        ("frames", FrameFuzz.self),
        ("handshake", HandshakeFuzz.self),
        ("cache", CacheFileFuzz.self),
        ("identity", IdentityFuzz.self),
    ]

    static func main() {
        let asked = CommandLine.arguments.dropFirst().first
        guard let subject = subjects.first(where: { $0.name == asked }) else {
            let names = subjects.map(\.name).joined(separator: "|")
            fail("usage: shardline-fuzz \(names) [--seed S] [--count N] [--first I] [--corpus FILE]", 64)
        }
        let options: FuzzOptions
        switch FuzzOptions.parse(CommandLine.arguments.dropFirst(2)) {
        case .success(let parsed): options = parsed
        case .failure(let error): fail(error.message, 64)
        }
        do {
            try run(subject.type, named: subject.name, options)
        } catch {
            fail("shardline-fuzz: \(error)", 1)
        }
    }

    private static func run(
        _ subject: any FuzzSubject.Type, named name: String, _ options: FuzzOptions
    ) throws {
        let clock = ContinuousClock()
        let start = clock.now
        var fuzz = try subject.init(corpusPath: options.corpusPath)
        var acceptedCount = 0
        CaseWatch.install()
        for index in options.first..<options.first + options.count {
            CaseWatch.begin(index, seed: options.seed)
            var random = FuzzRandom(seed: options.seed, case: index)
            if try fuzz.run(&random) { acceptedCount += 1 }
        }
        CaseWatch.end()
        print(
            "\(name): \(options.count) cases with seed \(options.seed), \(acceptedCount) accepted, "
                + "\(options.count - acceptedCount) refused, in \(clock.now - start)")
    }

    private static func fail(_ message: String, _ code: Int32) -> Never {
        let line = message + "\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(code)
    }
}
