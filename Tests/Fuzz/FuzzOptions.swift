/// What the command line asks for.
struct FuzzOptions {
    struct Mistake: Error {
        var message: String
    }

    var seed: UInt64 = 1
    var count = 1000
    /// The number of the first case.
    var first = 0
    var corpusPath: String?

    static func parse(_ arguments: some Sequence<String>) -> Result<FuzzOptions, Mistake> {
        var options = FuzzOptions()
        var rest = arguments.makeIterator()
        while let flag = rest.next() {
            guard let value = rest.next() else { return .failure(Mistake(message: "\(flag) needs a value")) }
            let isUnderstood: Bool
            switch flag {
            case "--seed": isUnderstood = set(&options.seed, UInt64(value))
            case "--count":
                isUnderstood = set(&options.count, Int(value).flatMap { (0...1 << 40).contains($0) ? $0 : nil })
            case "--first":
                isUnderstood = set(&options.first, Int(value).flatMap { (0...1 << 40).contains($0) ? $0 : nil })
            case "--corpus": isUnderstood = set(&options.corpusPath, value)
            default: return .failure(Mistake(message: "unknown option \(flag)"))
            }
            guard isUnderstood else { return .failure(Mistake(message: "\(flag) cannot be \(value)")) }
        }
        return .success(options)
    }

    private static func set<Value>(_ target: inout Value, _ value: Value?) -> Bool {
        guard let value else { return false }
        target = value
        return true
    }
}
