/// The release of all programs: what `--version`, `/version` and the handshake say.
public enum ProgramVersion {
    public static let text = "0.1.0"
}
