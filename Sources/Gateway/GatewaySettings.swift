/// How the gateway listens and what it bears.
public struct GatewaySettings: Sendable {
    public var host: String
    /// 0 lets the system choose one.
    public var port: Int
    /// The largest body of a request.
    public var bodyByteCountMax: Int
    /// The most generations that one request may ask for: its prompts times its choices.
    public var generationCountMax: Int
    /// After this long without output a stream gets a comment, so that nothing on the way takes it for dead.
    public var pingInterval: Duration
    /// A connection without a request is closed after this long.
    public var idleTimeout: Duration

    public init(
        host: String = "127.0.0.1", port: Int = 8080, bodyByteCountMax: Int = 16 << 20, generationCountMax: Int = 128,
        pingInterval: Duration = .seconds(5), idleTimeout: Duration = .seconds(120)
    ) {
        self.host = host
        self.port = port
        self.bodyByteCountMax = bodyByteCountMax
        self.generationCountMax = generationCountMax
        self.pingInterval = pingInterval
        self.idleTimeout = idleTimeout
    }
}
