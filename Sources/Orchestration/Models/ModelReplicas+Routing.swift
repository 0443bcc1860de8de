import Vocabulary

/// Which replica serves a request.
///
/// A request goes to the replica where it is expected to cost the least time:
///
///     cost = (uncached + pending + running · output) · pass      in seconds
///
/// - uncached: tokens of the request whose keys and values the replica has not in its prefix cache
/// - pending: prompt tokens of others that the replica has begun and not computed yet, in steps under way or to come
/// - running: sequences that run on the replica, each of which puts a row beside each of the request's output tokens
/// - output: the tokens of output that are expected of the request
/// - pass: the time of the replica's slowest stage for one row, by its plan
///
/// The bracket counts rows that the replica computes before the request is done, so a cached token and a token of load
/// weigh the same; the pass makes replicas on unequal nodes comparable. Only replicas that run and have room for the
/// request at once are asked: a free replica that must compute the prefix anew is sooner done than a wait of unknown
/// length for the one that holds it. Equal costs go to the replica with the lower number.
extension ModelReplicas {
    /// Lets requests begin while there is room: those that were preempted first, then the others in their fair order.
    /// Nobody is passed over for being large.
    mutating func beginWaiting(at now: Instant) {
        while let id = preempted.first ?? waiting.first(), var sequence = sequences.removeValue(forKey: id) {
            guard let place = place(for: &sequence) else {
                sequences[id] = sequence
                return
            }
            if sequence.hasBegun {
                preempted.removeFirst()
            } else {
                waiting.removeFirst()
                beginningCount += 1
                sequence.beginning = beginningCount
            }
            pipelines[place.index].begin(sequence, sharedCount: place.sharedCount, at: now)
        }
    }

    func canBegin(_ sequence: inout SequenceState) -> Bool {
        waitingCount == 0 && place(for: &sequence) != nil
    }

    /// Nil when no replica has room.
    ///
    /// - Returns: the replica's index, and how many blocks its cache has of the request.
    private func place(for sequence: inout SequenceState) -> (index: Int, sharedCount: Int)? {
        var best: (index: Int, sharedCount: Int, cost: Double)?
        for index in pipelines.indices {
            guard let sharedCount = pipelines[index].room(for: &sequence) else { continue }
            let cost = pipelines[index].cost(of: sequence, sharedCount: sharedCount)
            if best.map({ cost < $0.cost }) ?? true { best = (index, sharedCount, cost) }
        }
        return best.map { ($0.index, $0.sharedCount) }
    }
}

extension Pipeline {
    fileprivate func cost(of sequence: SequenceState, sharedCount: Int) -> Double {
        let uncached = sequence.tokens.count - sharedCount * BlockID.positionCount
        let pending = promptRowsPending + promptRowsInFlight
        let rows = Double(uncached + pending) + Double(running.count) * Double(sequence.expectedOutputTokenCount)
        return rows * (plan?.bottleneckSeconds ?? 1)
    }
}
