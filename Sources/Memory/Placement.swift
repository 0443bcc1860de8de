/// Which memory a buffer's pages should come from.
public enum Placement: Sendable, Hashable {
    case anywhere
    /// The memory of one NUMA node, by the kernel's number; other nodes' when it is full.
    case numaNode(Int)
    /// Page by page from all NUMA nodes in turn: for what threads of all of them read alike.
    case interleaved
}
