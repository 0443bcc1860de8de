public import Memory

/// The argument of `Admin.topology`.
public struct TopologyRequest: WireValue, Hashable {
    public init() {}

    public func encodeControl() throws(WireError) -> [UInt8] { [] }

    /// Fields of a later version are passed over.
    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "TopologyRequest")
    }
}
