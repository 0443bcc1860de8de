import ArgumentParser

/// Something to measure of a model, by the name it has on the command line.
package struct Work: Hashable, Encodable, CustomStringConvertible {
    package enum Kind: String, CaseIterable {
        /// Reading and packing the file.
        case load
        /// The most memory that the process has meanwhile.
        case memory
        /// A prompt of `count` tokens.
        case prompt
        /// One sequence from its beginning, token by token.
        case decode
        /// `count` sequences, a token of each at once.
        case batch
        /// One sequence, token by token, up to `count` positions.
        case context

        package var takesCount: Bool { [.prompt, .batch, .context].contains(self) }
    }

    package let kind: Kind
    /// 1 where the kind takes none.
    package let count: Int

    /// "decode", "prompt256", "batch16", "context4096".
    package init?(_ name: some StringProtocol) {
        guard let kind = Kind.allCases.first(where: { name.hasPrefix($0.rawValue) }) else { return nil }
        let rest = name.dropFirst(kind.rawValue.count)
        if kind.takesCount {
            guard let count = Int(rest), (1...1 << 20).contains(count) else { return nil }
            self.count = count
        } else {
            guard rest.isEmpty else { return nil }
            count = 1
        }
        self.kind = kind
    }

    package var description: String { kind.takesCount ? "\(kind.rawValue)\(count)" : kind.rawValue }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Works with commas between them, as a command-line argument.
package struct WorkList: ExpressibleByArgument {
    package let works: [Work]

    package init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        works = names.compactMap { Work($0) }
        guard works.count == names.count else { return nil }
    }

    package init(_ works: [Work]) { self.works = works }

    package var defaultValueDescription: String { works.map(\.description).joined(separator: ",") }
}
