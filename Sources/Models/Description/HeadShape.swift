/// Attention heads: how many, and how large.
struct HeadShape {
    let headCount: Int
    let kvHeadCount: Int
    let headSize: Int

    init(_ keys: MetadataReader, hiddenSize: Int) throws(ModelError) {
        headCount = try keys.integer("attention.head_count", in: 1...4096)
        kvHeadCount = try keys.integerIfPresent("attention.head_count_kv", in: 1...4096) ?? headCount
        guard headCount % kvHeadCount == 0 else {
            throw ModelError(.malformed, "\(headCount) heads cannot share \(kvHeadCount) KV heads evenly")
        }
        if let keyLength = try keys.integerIfPresent("attention.key_length", in: 1...1024) {
            headSize = keyLength
        } else {
            guard hiddenSize % headCount == 0, (1...1024).contains(hiddenSize / headCount) else {
                throw ModelError(
                    .malformed,
                    "hidden size \(hiddenSize) does not divide into \(headCount) heads of at most 1024, "
                        + "and there is no attention.key_length")
            }
            headSize = hiddenSize / headCount
        }
        if let valueLength = try keys.integerIfPresent("attention.value_length", in: 1...1024),
            valueLength != headSize
        {
            throw ModelError(
                .unsupported, "keys of \(headSize) and values of \(valueLength) elements; they must be alike")
        }
    }
}
