import Orchestration
import Vocabulary

/// Something that happens at a time.
enum SimulatedEvent {
    case requestArrives
    case requestIsCancelled(RequestID)
    /// The connection to the coordinator is made.
    case nodeRegisters(Int)
    /// A killed node is there again.
    case nodeStarts(Int)
    case faultStrikes
    /// Told by the coordinator's own machine: not lost with a connection.
    case coordinatorHears(CoordinatorEvent)
    case coordinatorReceives(CoordinatorEvent, Links.Use)
    case nodeHears(Int, Incarnation, NodeEvent)
    case nodeReceives(Int, NodeEvent, hidden: [UInt64]?, Links.Use)
    case nodeComputes(Int, Incarnation, StageBatch)
    case nodeLoads(Int, Incarnation, StageAssignment, fails: Bool)
}

/// Events in order of time; those of one time in the order in which they were added.
struct EventSchedule {
    private struct Entry {
        var due: Instant
        var number: UInt64
        var event: SimulatedEvent

        func isBefore(_ other: Entry) -> Bool { (due.nanoseconds, number) < (other.due.nanoseconds, other.number) }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private var count: UInt64 = 0

    var nextDue: Instant? { entries.first?.due }

    mutating func add(_ event: SimulatedEvent, at due: Instant) {
        count += 1
        entries.append(Entry(due: due, number: count, event: event))
        var child = entries.count - 1
        while child > 0, entries[child].isBefore(entries[(child - 1) / 2]) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> SimulatedEvent? {
        guard let first = entries.first else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if entries[child].isBefore(entries[least]) { least = child }
            }
            if least == parent { break }
            entries.swapAt(parent, least)
            parent = least
        }
        return first.event
    }
}

/// Connections between processes, each way in order; the coordinator is the process without a number.
struct Links {
    /// A connection from one process to another, as it was when it was used.
    struct Use: Hashable {
        var from: Int?
        var to: Int?
        var generation: Int
    }

    private struct Pair: Hashable {
        var low: Int
        var high: Int

        init(_ first: Int?, _ second: Int?) {
            low = min(first ?? -1, second ?? -1)
            high = max(first ?? -1, second ?? -1)
        }
    }

    private var generations: [Pair: Int] = [:]
    private var newestArrivals: [Use: Instant] = [:]

    func current(from: Int?, to: Int?) -> Use {
        Use(from: from, to: to, generation: generations[Pair(from, to)] ?? 0)
    }

    func isCurrent(_ use: Use) -> Bool { current(from: use.from, to: use.to) == use }

    /// All that is on its way is lost.
    mutating func cut(_ first: Int?, _ second: Int?) { generations[Pair(first, second), default: 0] += 1 }

    /// Nothing overtakes on a connection.
    mutating func arrival(on use: Use, after earliest: Instant) -> Instant {
        let arrival = max(earliest, newestArrivals[use] ?? earliest)
        newestArrivals[use] = arrival
        return arrival
    }
}
