/// Keys of which only as many as are looked at get sorted, likeliest first.
///
/// Distributions of language models are steep: a few dozen out of tens of thousands are looked at. The order does not
/// depend on how far the sorting went.
package struct RankedPrefix {
    private let keys: UnsafeMutableBufferPointer<RankKey>
    private var sortedCount = 0

    /// - Parameter keys: distinct; they are rearranged. Must outlive this value.
    package init(_ keys: UnsafeMutableBufferPointer<RankKey>) {
        self.keys = keys
    }

    package var count: Int { keys.count }

    /// The key of rank `rank`, 0 being the likeliest.
    package mutating func key(_ rank: Int) -> RankKey {
        while rank >= sortedCount { sortMore() }
        return keys[rank]
    }

    /// Sorts the next run, each four times as long as all before it.
    private mutating func sortMore() {
        let end = min(keys.count, max(64, sortedCount * 4))
        if end < keys.count { select(end, from: sortedCount) }
        sort(sortedCount, end - 1)
        sortedCount = end
    }

    /// Sorts keys[low...high], the largest first: in place, where the standard library's sort takes memory.
    private func sort(_ low: Int, _ high: Int) {
        var (low, high) = (low, high)
        while high - low >= Self.insertionCountMax {
            let (left, right) = partition(low, high)
            // The shorter side first, so that the depth stays logarithmic.
            if right - low < high - left {
                sort(low, right)
                low = left
            } else {
                sort(left, high)
                high = right
            }
        }
        guard low < high else { return }
        for index in low + 1...high {
            let key = keys[index]
            var place = index
            while place > low, keys[place - 1] < key {
                keys[place] = keys[place - 1]
                place -= 1
            }
            keys[place] = key
        }
    }

    private static let insertionCountMax = 16

    /// Moves the largest keys of `begin...` in front of index `end` (quickselect).
    private func select(_ end: Int, from begin: Int) {
        var (low, high) = (begin, keys.count - 1)
        while low < high {
            let (left, right) = partition(low, high)
            if end <= right {
                high = right
            } else if end >= left {
                low = left
            } else {
                return
            }
        }
    }

    /// Parts keys[low...high] at a pivot: keys up to the second index returned are no smaller than those from the first
    /// one on; both sides are shorter than the whole.
    private func partition(_ low: Int, _ high: Int) -> (left: Int, right: Int) {
        let pivot = medianOfThree(low, low + (high - low) / 2, high)
        var (left, right) = (low, high)
        while left <= right {
            while keys[left] > pivot { left += 1 }
            while keys[right] < pivot { right -= 1 }
            if left <= right {
                keys.swapAt(left, right)
                left += 1
                right -= 1
            }
        }
        return (left, right)
    }

    private func medianOfThree(_ a: Int, _ b: Int, _ c: Int) -> RankKey {
        let (x, y, z) = (keys[a], keys[b], keys[c])
        return max(min(x, y), min(max(x, y), z))
    }
}
