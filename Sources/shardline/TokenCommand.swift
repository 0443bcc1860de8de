import ArgumentParser
import Foundation
import Identity
import Vocabulary

/// Join tokens, with which nodes enrol.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Makes, lists and deletes the join tokens with which nodes enrol.",
        discussion: ProgramEnvironment.help("token"),
        subcommands: [Create.self, List.self, Delete.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Prints a new join token: keep it secret, and give it to the node's --join-token-file.")

        @OptionGroup var place: DataDirectoryOptions

        @Option(name: .long, help: "How long it may be used, as in 30m or 24h.")
        var ttl = "24h"

        @Option(
            name: .long, help: "The one node name it is good for, even if that name is taken (default: any free name).")
        var node: String?

        @Option(name: .long, help: "How many nodes may enrol with it.")
        var uses = 1

        func validate() throws {
            _ = try lifetime()
            guard (1...10_000).contains(uses) else {
                throw ValidationError("--uses must be 1 to 10000, not \(uses)")
            }
            if let node, NodeID(node) == nil {
                throw ValidationError("--node '\(node)' must be 1 to 64 characters out of a-z A-Z 0-9 . _ -")
            }
        }

        private func lifetime() throws -> Int64 {
            try DataDirectoryOptions.seconds(ttl, flag: "--ttl", in: 1...(365 * 86_400))
        }

        func run() async throws {
            let token = try place.authority().createToken(
                node: node.flatMap { NodeID($0) }, lifetimeSeconds: try lifetime(), uses: uses)
            print(token.text)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists join tokens: ids, not secrets.")

        @OptionGroup var place: DataDirectoryOptions

        func run() async throws {
            let now = UnixTime.now
            let rows = try place.registry().tokens().map { token in
                let state = token.expiresAt <= now ? "expired" : token.usesLeft == 0 ? "used up" : "valid"
                return [token.id, token.node ?? "any", "\(token.usesLeft)", UnixTime.text(token.expiresAt), state]
            }
            print(TextTable.text(header: ["ID", "NODE", "USES LEFT", "EXPIRES", "STATE"], rows))
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Deletes a join token; nodes that have enrolled with it stay.")

        @OptionGroup var place: DataDirectoryOptions

        @Argument(help: "The token's id, or the token.")
        var token: String

        func run() async throws {
            let id = (try? JoinToken(token))?.id ?? token
            try place.registry().deleteToken(id: id)
            print("deleted \(id)")
        }
    }
}
