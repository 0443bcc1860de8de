#pragma once
// libnuma behind functions that never print, never exit and need no global variables of the caller.
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <stdint.h>
#include <sys/mman.h>

/// The highest NUMA node number, or -1 where the kernel knows no NUMA.
static inline int sl_numa_highest_node(void) {
    return numa_available() < 0 ? -1 : numa_max_node();
}

/// 1 when this process may allocate memory of the node.
static inline int sl_numa_has_node(int node) {
    if (numa_available() < 0 || node < 0 || node > numa_max_node()) return 0;
    return numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)node);
}

/// The node of a CPU, or -1.
static inline int sl_numa_node_of_cpu(int cpu) {
    return numa_available() < 0 || cpu < 0 ? -1 : numa_node_of_cpu(cpu);
}

/// The CPUs this thread may run on, ascending: writes at most `count_max` numbers and returns how many there are.
static inline int sl_numa_allowed_cpus(int *cpus, int count_max) {
    struct bitmask *mask = numa_allocate_cpumask();
    int count = 0;
    if (mask && numa_sched_getaffinity(0, mask) >= 0) {
        for (unsigned cpu = 0; cpu < mask->size; ++cpu) {
            if (!numa_bitmask_isbitset(mask, cpu)) continue;
            if (count < count_max) cpus[count] = (int)cpu;
            ++count;
        }
    }
    if (mask) numa_bitmask_free(mask);
    return count;
}

/// Asks for the pages of a mapping to come from all nodes in turn. 0 or an errno value.
static inline int sl_numa_interleave(void *base, size_t byte_count) {
    if (numa_available() < 0) return EINVAL;
    long result = mbind(base, byte_count, MPOL_INTERLEAVE, numa_all_nodes_ptr->maskp, numa_all_nodes_ptr->size + 1, 0);
    return result == 0 ? 0 : errno;
}

/// Asks for the pages of a mapping to come from a node while it has room. 0 or an errno value. Pages that were
/// touched before stay where they are.
static inline int sl_numa_prefer_node(void *base, size_t byte_count, int node) {
    if (!sl_numa_has_node(node)) return EINVAL;
    struct bitmask *mask = numa_allocate_nodemask();
    if (!mask) return ENOMEM;
    numa_bitmask_setbit(mask, (unsigned)node);
    // Preferred, not bound: a full node must spill to its neighbour, not get the process killed.
    long result = mbind(base, byte_count, MPOL_PREFERRED, mask->maskp, mask->size + 1, 0);
    int error = result == 0 ? 0 : errno;
    numa_bitmask_free(mask);
    return error;
}
