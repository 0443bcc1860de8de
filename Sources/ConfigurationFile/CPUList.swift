/// Lists of processor numbers in the kernel's notation: "0-3,8,10-11".
public enum CPUList {
    public static let cpuMax = 4095

    /// In the order written. Nil when the text is no such list, a number is above `cpuMax`, or one stands twice.
    public static func parse(_ text: String) -> [Int]? {
        guard text.utf8.count <= 16_384 else { return nil }
        var cpus: [Int] = []
        var seen: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map(number)
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last
            else { return nil }
            for cpu in first...last {
                guard seen.insert(cpu).inserted else { return nil }
                cpus.append(cpu)
            }
        }
        return cpus
    }

    private static func number(_ text: Substring) -> Int? {
        let trimmed = text.drop { $0 == " " }
        let digits = trimmed.prefix { $0.isASCII && $0.isNumber }
        guard trimmed.dropFirst(digits.count).allSatisfy({ $0 == " " }) else { return nil }
        guard let value = Int(digits), value <= cpuMax else { return nil }
        return value
    }
}
