/// What a node is, as it tells the coordinator when it registers.
public struct NodeDescription: Hashable, Sendable {
    public var node: NodeID
    public var incarnation: Incarnation
    /// Where other nodes reach it.
    public var host: String
    public var port: Int
    public var processID: Int32
    /// Threads that compute.
    public var threadCount: Int
    public var coreCount: Int
    public var numaNodeCount: Int
    /// The kernels' instruction set: "scalar", "avx2", "avx512", ...
    public var instructionSet: String
    /// What it may use for weights and KV.
    public var memoryLimitBytes: UInt64
    /// Measured at start: bytes per second that its threads together read from memory.
    public var readBytesPerSecond: Double
    /// Measured at start: int8 multiply-adds per second of its threads together.
    public var multiplyAddsPerSecond: Double
    public var version: String

    public init(
        node: NodeID, incarnation: Incarnation, host: String, port: Int, processID: Int32, threadCount: Int,
        coreCount: Int, numaNodeCount: Int, instructionSet: String, memoryLimitBytes: UInt64,
        readBytesPerSecond: Double, multiplyAddsPerSecond: Double, version: String
    ) {
        self.node = node
        self.incarnation = incarnation
        self.host = host
        self.port = port
        self.processID = processID
        self.threadCount = threadCount
        self.coreCount = coreCount
        self.numaNodeCount = numaNodeCount
        self.instructionSet = instructionSet
        self.memoryLimitBytes = memoryLimitBytes
        self.readBytesPerSecond = readBytesPerSecond
        self.multiplyAddsPerSecond = multiplyAddsPerSecond
        self.version = version
    }
}
