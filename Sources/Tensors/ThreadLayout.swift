import CPlatform
import Memory

/// Where the threads of a context run. Threads of one NUMA node are a group; each group has its share of every matrix
/// in its node's memory and computes it first.
public struct ThreadLayout: Sendable, Hashable {
    /// A group of threads.
    struct Group: Sendable, Hashable {
        /// The NUMA node of its weights; nil has them wherever they fall.
        var node: Int?
        var threadCount = 0
    }

    /// The CPUs each thread may run on, one list a thread; an empty list is any. The first thread is the driving one.
    let cpus: [[Int]]
    /// The group of each thread.
    let groupOfThread: [Int]
    let groups: [Group]

    public var threadCount: Int { groupOfThread.count }

    /// Threads that run anywhere, as one group.
    public static func anywhere(threadCount: Int) -> ThreadLayout {
        ThreadLayout(cpus: Array(repeating: [], count: threadCount), nodes: Array(repeating: nil, count: threadCount))
    }

    /// A thread for each of the CPUs, bound to it.
    public static func cpus(_ cpus: [Int]) -> ThreadLayout {
        let nodes = cpus.map { NumaTopology.node(ofCPU: $0) }
        // Nothing is gained by saying where memory should come from when it can come from one place only.
        let isSpread = Set(nodes).count > 1
        return ThreadLayout(cpus: cpus.map { [$0] }, nodes: isSpread ? nodes : nodes.map { _ in nil })
    }

    /// Threads that run on the CPUs of one NUMA node; anywhere when this process may use none of those.
    public static func node(_ node: Int, threadCount: Int) -> ThreadLayout {
        let cpus = NumaTopology.cpus(ofNode: node)
        return ThreadLayout(
            cpus: Array(repeating: cpus, count: threadCount), nodes: Array(repeating: nil, count: threadCount))
    }

    /// Threads that are spread over all NUMA nodes in proportion to their CPUs, and stay on their node. On a machine of
    /// one node they run anywhere.
    public static func allNodes(threadCount: Int) -> ThreadLayout {
        let nodes = NumaTopology.nodes.map { (node: $0, cpus: NumaTopology.cpus(ofNode: $0)) }
            .filter { !$0.cpus.isEmpty }
        guard nodes.count > 1, threadCount > 1 else { return anywhere(threadCount: threadCount) }
        let cpuCount = nodes.reduce(0) { $0 + $1.cpus.count }
        var end = 0
        var threads: [(node: Int, cpus: [Int])] = []
        for node in nodes {
            end += node.cpus.count
            // Rounded up: the first node is the driving thread's and never without one.
            let threadEnd = (threadCount * end + cpuCount - 1) / cpuCount
            while threads.count < threadEnd { threads.append(node) }
        }
        return ThreadLayout(cpus: threads.map(\.cpus), nodes: threads.map { $0.node })
    }

    /// - Parameters:
    ///   - cpus: of each thread; empty for any.
    ///   - nodes: of each thread; threads with the same make a group.
    init(cpus: [[Int]], nodes: [Int?]) {
        var groups: [Group] = []
        var groupOfThread: [Int] = []
        for node in nodes {
            let index = groups.firstIndex { $0.node == node } ?? groups.count
            if index == groups.count { groups.append(Group(node: node)) }
            groups[index].threadCount += 1
            groupOfThread.append(index)
        }
        self.cpus = cpus
        self.groups = groups
        self.groupOfThread = groupOfThread
    }

    /// For tests on machines of one node: groups of so many threads that run anywhere, all with their memory on one
    /// node.
    package init(groupsOfThreads threadCounts: [Int], node: Int? = nil) {
        groups = threadCounts.map { Group(node: node, threadCount: $0) }
        groupOfThread = threadCounts.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
        cpus = groupOfThread.map { _ in [] }
    }

    /// Restricts the calling thread to the CPUs of thread `index`.
    func bindCallingThread(_ index: Int) throws(TensorError) {
        guard !cpus[index].isEmpty else { return }
        let numbers = cpus[index].map { Int32(clamping: $0) }
        let error = sl_thread_restrict(numbers, Int32(numbers.count))
        guard error == 0 else {
            let shown = numbers.map(String.init).joined(separator: ",")
            throw TensorError(
                .unsupported,
                "cannot bind compute thread \(index) to CPU \(shown); give CPUs that this process may run on")
        }
    }
}
