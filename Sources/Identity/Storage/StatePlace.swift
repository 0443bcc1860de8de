import Glibc

/// Where programs keep what outlives them, unless they are told otherwise: `$XDG_STATE_HOME/shardline`, or
/// `~/.local/state/shardline`.
public enum StatePlace {
    /// - Parameter environment: the process's.
    public static func root(_ environment: [String: String]) throws(IdentityError) -> String {
        // The specification says that a relative path is to be passed over.
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return "\(state)/shardline" }
        if let home = environment["HOME"], home.hasPrefix("/") { return "\(home)/.local/state/shardline" }
        throw IdentityError(
            .storage, "neither XDG_STATE_HOME nor HOME says where to keep state: give --data-directory")
    }

    public static func coordinator(_ environment: [String: String]) throws(IdentityError) -> String {
        "\(try root(environment))/coordinator"
    }

    public static func node(_ name: String, _ environment: [String: String]) throws(IdentityError) -> String {
        "\(try root(environment))/nodes/\(name)"
    }
}
