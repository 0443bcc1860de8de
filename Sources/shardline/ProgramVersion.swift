/// What `--version`, `/version` and the handshake say.
enum ProgramVersion {
    static let text = "0.1.0"
}
