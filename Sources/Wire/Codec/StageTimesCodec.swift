import Memory
import Vocabulary

/// How long the stages of a step have computed, in their order.
enum StageTimesCodec {
    static func encode(
        _ nanoseconds: [UInt64], in arena: borrowing MessageArena
    ) throws(WireError) -> (count: Int, list: UnsafeMutablePointer<UInt64>?) {
        guard !nanoseconds.isEmpty else { return (0, nil) }
        let list = try arena.take(nanoseconds.count, of: UInt64.self)
        for (index, value) in nanoseconds.enumerated() { list[index] = value }
        return (nanoseconds.count, UnsafeMutablePointer(list))
    }

    static func decode(
        _ list: UnsafeMutablePointer<UInt64>?, count: Int, _ field: Field
    ) throws(WireError) -> [UInt64] {
        let count = try FieldReader.listCount(count, max: MessageLimits.stageCountMax, field)
        guard let list else { return [] }
        return (0..<count).map { list[$0] }
    }
}
