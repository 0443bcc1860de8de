import Hummingbird
public import Logging
public import Models
import NIOCore
public import ServiceLifecycle
public import Vocabulary

/// Serves OpenAI's HTTP API over one cluster, which it sees only as a `GenerationService`.
///
/// A graceful shutdown closes the listening socket at once and each connection after the answer it is in.
public struct Gateway: Service {
    private let settings: GatewaySettings
    private let service: any GenerationService
    private let codecs: [String: any TextCodec]
    private let version: String
    private let logger: Logger
    private let metricsText: (@Sendable () -> String)?
    private let onBound: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - texts: the text side of each of the service's models, by the name it is served under.
    ///   - metricsText: gives what `/metrics` shows, in Prometheus' text format; nil answers 404.
    ///   - onBound: is told the port, once requests are taken.
    public init(
        settings: GatewaySettings, service: any GenerationService, texts: [String: TextModel], version: String,
        logger: Logger, metricsText: (@Sendable () -> String)? = nil,
        onBound: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.init(
            settings: settings, service: service, codecs: texts.mapValues { ModelTextCodec(text: $0) },
            version: version, logger: logger, metricsText: metricsText, onBound: onBound)
    }

    package init(
        settings: GatewaySettings, service: any GenerationService, codecs: [String: any TextCodec], version: String,
        logger: Logger, metricsText: (@Sendable () -> String)? = nil,
        onBound: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.settings = settings
        self.service = service
        self.codecs = codecs
        self.version = version
        self.logger = logger
        self.metricsText = metricsText
        self.onBound = onBound
    }

    /// Serves until a graceful shutdown, or until the task is cancelled.
    ///
    /// - Throws: `GatewayError` when the address cannot be listened on.
    public func run() async throws {
        OpenFileLimit.raise()
        let catalog = ModelCatalog(service: service, codecs: codecs)
        let endpoint = GenerationEndpoint(service: service, catalog: catalog, settings: settings, logger: logger)
        let routes = GatewayRoutes(
            service: service, catalog: catalog, version: version, metricsText: metricsText, endpoint: endpoint)
        let idleTimeout = TimeAmount(settings.idleTimeout)
        let onBound = onBound
        // What the server says of its own is about its insides; the gateway tells what matters.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .critical)
        let application = Application(
            router: routes.router(logger: logger),
            server: .http1(
                configuration: .init(additionalChannelHandlers: [ConnectionWatch()], idleTimeout: idleTimeout)),
            configuration: ApplicationConfiguration(address: .hostname(settings.host, port: settings.port)),
            onServerRunning: { channel in onBound(channel.localAddress?.port ?? 0) },
            logger: serverLogger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw GatewayError(error, host: settings.host, port: settings.port)
        } catch is SocketAddressError.UnknownHost {
            throw GatewayError(unknownHost: settings.host)
        }
    }
}
