import Synchronization

/// A record that the connection's thread fills while a task waits for its end.
final class SharedRecord: Sendable {
    private let record: Mutex<RequestRecord>

    init(_ record: RequestRecord) { self.record = Mutex(record) }

    var value: RequestRecord { record.withLock { $0 } }

    /// How many chunks of output there are then.
    func take(_ event: LoadEvent, at moment: UInt64, keepsText: Bool) -> Int {
        record.withLock { record in
            switch event {
            case .identity(let id): record.serverID = id
            case .output(let text):
                record.outputNanoseconds.append(moment)
                if keepsText {
                    record.text += text
                    record.outputEnds.append(record.text.utf8.count)
                }
            case .finish(let reason): record.finishReason = reason
            case .usage(let promptTokenCount, let outputTokenCount, let cachedTokenCount):
                record.promptTokenCount = promptTokenCount
                record.usageOutputTokenCount = outputTokenCount
                record.cachedTokenCount = cachedTokenCount
            }
            return record.outputNanoseconds.count
        }
    }
}
