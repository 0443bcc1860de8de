/// Finds what somebody probably meant.
enum Spelling {
    /// The nearest of `candidates` when it is near enough to be a slip; hyphens count as underscores.
    static func nearest(to word: String, in candidates: [String]) -> String? {
        let word = Array(word.lowercased().utf8.prefix(65)).map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
        guard word.count <= 64 else { return nil }
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(word, Array(candidate.utf8))
            if distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(1, min(word.count, best.candidate.utf8.count) / 3) else { return nil }
        return best.candidate
    }

    /// The fewest insertions, deletions, replacements and swaps of neighbours that make one of the other, no part
    /// being touched twice.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (leftIndex, leftByte) in left.enumerated() {
            var row = [leftIndex + 1]
            for (rightIndex, rightByte) in right.enumerated() {
                let replaced = last[rightIndex] + (leftByte == rightByte ? 0 : 1)
                var best = min(replaced, row[rightIndex] + 1, last[rightIndex + 1] + 1)
                let isSwap =
                    leftIndex > 0 && rightIndex > 0 && leftByte == right[rightIndex - 1]
                    && rightByte == left[leftIndex - 1]
                if isSwap { best = min(best, beforeLast[rightIndex - 1] + 1) }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[right.count]
    }
}
