public import Memory

/// What distributed methods take and return: exactly one message each way.
///
/// A value has three parts on the wire: the stamp, which lies in the frame's header; the control part, a protobuf
/// message of `Protocols/*.proto`; and the bulk part, raw little-endian tensor bytes that are never copied into the
/// control part.
public protocol WireValue: Sendable {
    /// All defaults. Also used at start, to find the mangled names of the methods that take it.
    init()

    /// Which term, incarnation, epoch and step the message belongs to.
    var stamp: FrameStamp { get }

    /// The bytes that travel beside the control part; nil when there are none.
    var bulk: BufferSlice? { get }

    /// The control part. Throws `unencodable` for a value without a form on the wire, and `tooLarge`.
    func encodeControl() throws(WireError) -> [UInt8]

    /// Rebuilds the value from the parts of a received frame. Every field is checked; the error names message and
    /// field. `bulk` is already decompressed.
    init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError)
}

extension WireValue {
    public var stamp: FrameStamp { .none }
    public var bulk: BufferSlice? { nil }
}
