/// Deals things that lie in a row out to groups of threads: contiguous shares in proportion to their threads. Tiles of
/// an operation and panels of a matrix are dealt alike, so that a group's tiles are about its own panels.
///
/// Trivial, for operations carry it: the numbers belong to the pool.
struct GroupShares {
    let groupCount: Int
    /// Threads of all groups before each, and of all.
    private let threadsBefore: UnsafePointer<Int>

    init(groupCount: Int, threadsBefore: UnsafePointer<Int>) {
        self.groupCount = groupCount
        self.threadsBefore = threadsBefore
    }

    /// A group's share of `count` things.
    func range(ofGroup group: Int, of count: Int) -> Range<Int> {
        let threadCount = threadsBefore[groupCount]
        return count * threadsBefore[group] / threadCount..<count * threadsBefore[group + 1] / threadCount
    }

    /// Whether each group has at least one of `count` things.
    func reachAll(_ count: Int) -> Bool {
        (0..<groupCount).allSatisfy { !range(ofGroup: $0, of: count).isEmpty }
    }

    /// The group that thing `index` of `count` belongs to.
    func group(of index: Int, of count: Int) -> Int {
        var group = 0
        while range(ofGroup: group, of: count).upperBound <= index { group += 1 }
        return group
    }
}
