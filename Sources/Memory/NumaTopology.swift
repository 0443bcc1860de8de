import CPlatform
import Glibc

/// The machine's memory as this process may use it. A machine without NUMA is one node, number 0.
public enum NumaTopology {
    /// The numbers of the nodes whose memory this process may use, ascending; at least one.
    public static let nodes: [Int] = {
        let highest = Int(sl_numa_highest_node())
        guard highest >= 0 else { return [0] }
        let found = (0...highest).filter { sl_numa_has_node(Int32($0)) != 0 }
        return found.isEmpty ? [0] : found
    }()

    public static var nodeCount: Int { nodes.count }

    static func hasNode(_ node: Int) -> Bool { nodes.contains(node) }

    /// The CPUs this process may run on, ascending, at the time of the call.
    public static var cpus: [Int] {
        let countMax = 4096
        let found = [Int32](unsafeUninitializedCapacity: countMax) { buffer, count in
            count = min(countMax, Int(sl_numa_allowed_cpus(buffer.baseAddress, Int32(countMax))))
        }
        return found.isEmpty ? [0] : found.map(Int.init)
    }

    /// The node of a CPU; nil for a CPU that the machine has not got.
    public static func node(ofCPU cpu: Int) -> Int? {
        guard cpu >= 0, cpu < Int(sysconf(Int32(_SC_NPROCESSORS_CONF))) else { return nil }
        let node = Int(sl_numa_node_of_cpu(Int32(cpu)))
        return node >= 0 ? node : nodes[0]
    }

    /// The CPUs of a node that this process may run on, ascending.
    public static func cpus(ofNode node: Int) -> [Int] {
        cpus.filter { Self.node(ofCPU: $0) == node }
    }

    /// Memory of the machine, or of the control group if that is less.
    public static var totalMemoryBytes: UInt64 { SystemMemory.read().totalBytes }

    /// What can still be allocated without swapping, inside the control group's limit; caches of files count as free.
    public static var availableMemoryBytes: UInt64 { SystemMemory.read().availableBytes }
}
