import Tensors
package import Vocabulary

/// The content names of a sequence's blocks, from its first token on: each is the hash of the one before and of the
/// block's tokens. Equal names mean equal keys and values, so a name is all that sharing needs.
package struct BlockChain: Sendable {
    /// What a block is known by.
    package struct Name: Hashable, Sendable {
        let hash: ContentHash

        package static func == (left: Self, right: Self) -> Bool { left.hash == right.hash }

        /// A name is evenly spread already.
        package func hash(into hasher: inout Hasher) {
            withUnsafeBytes(of: hash) { hasher.combine($0.loadUnaligned(as: UInt64.self)) }
        }
    }

    package private(set) var names: [Name] = []
    /// Nil on a machine whose OpenSSL cannot hash: nothing is shared there.
    private let root: ContentHash?

    /// - Parameters:
    ///   - model: the fingerprint of the model's file.
    ///   - salt: requests with different salts never share.
    package init(model: String, salt: String) {
        var bytes = Array(model.utf8)
        bytes.append(0)
        bytes += salt.utf8
        root = bytes.withUnsafeBytes { ContentHash(of: $0) }
    }

    /// Names the first `blockCount` blocks of `tokens`, all of them full.
    package mutating func extend(over tokens: [TokenID], blockCount: Int) {
        while names.count < blockCount, let parent = names.last?.hash ?? root {
            let first = names.count * BlockID.positionCount
            guard let hash = Self.hash(parent, tokens[first..<(first + BlockID.positionCount)]) else { return }
            names.append(Name(hash: hash))
        }
    }

    private static func hash(_ parent: ContentHash, _ tokens: ArraySlice<TokenID>) -> ContentHash? {
        let tokenByteCount = tokens.count * MemoryLayout<TokenID>.stride
        return withUnsafeTemporaryAllocation(
            byteCount: MemoryLayout<ContentHash>.size + tokenByteCount, alignment: MemoryLayout<ContentHash>.alignment
        ) { buffer in
            buffer.storeBytes(of: parent, as: ContentHash.self)
            var offset = MemoryLayout<ContentHash>.size
            for token in tokens {
                buffer.storeBytes(of: token.littleEndian, toByteOffset: offset, as: TokenID.self)
                offset += MemoryLayout<TokenID>.stride
            }
            return ContentHash(of: UnsafeRawBufferPointer(buffer))
        }
    }
}
