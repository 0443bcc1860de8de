/// How fast bulk may be sent to a peer: all lanes share one queue on the way, and bulk must not fill it.
public enum BulkPacing: Hashable, Sendable {
    /// As fast as the link goes while the control lane's round trip stays within some milliseconds of its least. Within
    /// one host without a limit.
    case automatic
    /// At most so many bytes a second.
    case bytesPerSecond(Int)
    /// As fast as TCP goes.
    case unlimited
}
