package import Vocabulary

/// Requests that wait to begin, fair between those who ask: start-time fair queueing (Goyal, Vin, Cheng, 1996).
///
/// Requests of one tenant and priority are a flow. A request's tag is where its flow's service stands when the request
/// is due: never before the tag of the newest request that began, so nobody saves up rights; each request moves its
/// flow on by its cost over its weight. The least tag begins next, ties in order of arrival. So the first request of a
/// flow waits for at most one request of every other flow that waits, however many they have sent.
package struct FairQueue: Sendable {
    package struct Flow: Hashable, Sendable {
        package var tenant: String
        package var priority: Int

        package init(tenant: String, priority: Int) {
            self.tenant = tenant
            self.priority = priority
        }
    }

    private struct Entry: Sendable {
        var tag: UInt64
        var arrival: UInt64
        var id: SequenceID

        func isBefore(_ other: Entry) -> Bool { (tag, arrival) < (other.tag, other.arrival) }
    }

    private struct FlowState: Sendable {
        /// The tag of the flow's next request, unless the queue has passed it.
        var nextTag: UInt64
        /// Of its newest request.
        var newestTag: UInt64
        var waitingCount: Int
    }

    /// May hold requests that have left the queue otherwise.
    private var heap = Heap<Entry> { $0.isBefore($1) }
    private var waiting: [SequenceID: Flow] = [:]
    private var flows: [Flow: FlowState] = [:]
    private var tenantCounts: [String: Int] = [:]
    /// The tag of the newest request that began.
    private var virtualTime: UInt64 = 0
    private var arrivalCount: UInt64 = 0

    package init() {}

    package var count: Int { waiting.count }
    package var isEmpty: Bool { waiting.isEmpty }

    package func count(of tenant: String) -> Int { tenantCounts[tenant] ?? 0 }

    /// - Parameter cost: in tokens.
    package mutating func append(_ id: SequenceID, _ flow: Flow, cost: Int) {
        forgetIdleFlows()
        let tag = max(virtualTime, flows[flow]?.nextTag ?? 0)
        arrivalCount += 1
        heap.insert(Entry(tag: tag, arrival: arrivalCount, id: id))
        waiting[id] = flow
        flows[flow] = FlowState(
            nextTag: tag + Self.scaled(cost, flow.priority), newestTag: tag,
            waitingCount: (flows[flow]?.waitingCount ?? 0) + 1)
        tenantCounts[flow.tenant, default: 0] += 1
    }

    /// The request that is to begin next.
    package mutating func first() -> SequenceID? {
        while let entry = heap.first {
            if waiting[entry.id] != nil { return entry.id }
            heap.removeFirst()
        }
        return nil
    }

    package mutating func removeFirst() {
        guard let id = first(), let entry = heap.first else { return }
        virtualTime = entry.tag
        heap.removeFirst()
        forget(id)
    }

    /// Does nothing when the request does not wait.
    package mutating func remove(_ id: SequenceID) {
        guard waiting[id] != nil else { return }
        forget(id)
        if heap.count > 2 * waiting.count + 64 {
            let waiting = waiting
            heap.removeAll { waiting[$0.id] == nil }
        }
    }

    /// A request of the flow took other than its cost said.
    package mutating func correct(_ flow: Flow, by difference: Int) {
        guard let state = flows[flow] else { return }
        guard difference != 0 else { return }
        let change = Self.scaled(abs(difference), flow.priority)
        // Requests of a flow that wait have different tags, or two of them could pass another flow's.
        let least = state.waitingCount > 0 ? state.newestTag + 1 : 0
        flows[flow]?.nextTag =
            difference < 0 ? max(least, state.nextTag - min(change, state.nextTag)) : state.nextTag + change
    }

    /// In the order in which they would begin.
    package var all: [SequenceID] {
        heap.elements.filter { waiting[$0.id] != nil }.sorted { $0.isBefore($1) }.map(\.id)
    }

    private mutating func forget(_ id: SequenceID) {
        guard let flow = waiting.removeValue(forKey: id) else { return }
        flows[flow]?.waitingCount -= 1
        let count = tenantCounts[flow.tenant] ?? 0
        tenantCounts[flow.tenant] = count > 1 ? count - 1 : nil
    }

    /// Flows that the queue has passed stand where new ones begin.
    private mutating func forgetIdleFlows() {
        guard flows.count > 2 * waiting.count + 64 else { return }
        flows = flows.filter { $0.value.waitingCount > 0 || $0.value.nextTag > virtualTime }
    }

    /// A priority step doubles the share.
    private static func scaled(_ cost: Int, _ priority: Int) -> UInt64 {
        let range = GenerationRequest.priorities
        let bounded = min(max(priority, range.lowerBound), range.upperBound)
        return UInt64(max(1, min(cost, 1 << 32))) << UInt64(range.upperBound - bounded)
    }
}
