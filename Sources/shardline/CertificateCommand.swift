import ArgumentParser
import Identity

/// Certificates that the coordinator has made, and which of them count no more.
struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "Lists certificates and revokes them.",
        discussion: ProgramEnvironment.help("certificate"), subcommands: [List.self, Revoke.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists certificates until a week after their end.")

        @OptionGroup var place: DataDirectoryOptions

        func run() async throws {
            let now = UnixTime.now
            let rows = try place.registry().certificates().map { record in
                let state = record.revokedAt != nil ? "revoked" : record.notAfter < now ? "ended" : "valid"
                return [
                    record.serial, record.role.isEmpty ? "?" : record.role, record.name.isEmpty ? "?" : record.name,
                    UnixTime.text(record.notAfter), state,
                ]
            }
            print(TextTable.text(header: ["SERIAL", "ROLE", "NAME", "ENDS", "STATE"], rows))
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Revokes a certificate, or all of a name: its holder is dropped at once and cannot come back.")

        @OptionGroup var place: DataDirectoryOptions

        @Argument(help: "The certificate's serial number, or the name of its holder.")
        var target: String

        @Flag(name: .long, help: "It is the serial number of a certificate that another authority has made.")
        var foreign = false

        func run() async throws {
            for record in try place.registry().revoke(target, isForeign: foreign) {
                print("revoked \(record.serial)\(record.name.isEmpty ? "" : ", \(record.role) '\(record.name)'")")
            }
        }
    }
}
