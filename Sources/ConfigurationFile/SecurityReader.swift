/// Reads the section `security`, and `insecure` at the top level, which means the same as in it.
struct SecurityReader {
    let allowsInsecure: Bool
    let resolved: (String) -> String

    func read(
        _ top: ConfigurationSection
    ) throws(ConfigurationError) -> (isInsecure: Bool, settings: ClusterConfiguration.Security) {
        let keys = ["insecure", "certificate", "key", "authority", "certificate_lifetime"]
        let section = try top.optionalSection("security", knownKeys: keys)
        let atTop = try top.optionalBoolean("insecure")
        let inside = try section?.optionalBoolean("insecure")
        if let atTop, let inside, atTop != inside, let value = section?["insecure"] {
            throw value.error("contradicts 'insecure' at the top level of the file; say it once")
        }
        let isInsecure = atTop ?? inside ?? false || allowsInsecure
        var settings = ClusterConfiguration.Security()
        guard let section else { return (isInsecure, settings) }
        settings.files = try files(section)
        if settings.files != nil, atTop ?? inside == true, let value = section["certificate"] {
            throw value.error("is of no use with 'insecure: true': nothing is encrypted then; leave one of them out")
        }
        if let value = section["certificate_lifetime"] {
            settings.certificateLifetimeSeconds = try lifetime(value)
        }
        return (isInsecure, settings)
    }

    private func files(
        _ section: ConfigurationSection
    ) throws(ConfigurationError) -> ClusterConfiguration.Security.Files? {
        let keys = ["certificate", "key", "authority"]
        guard let first = keys.first(where: { section[$0] != nil }) else { return nil }
        for key in keys where section[key] == nil {
            throw section.owner.error("has '\(first)' but no '\(key)': certificate, key and authority belong together")
        }
        return ClusterConfiguration.Security.Files(
            certificate: resolved(try section.required("certificate", example: "node.crt").text()),
            key: resolved(try section.required("key", example: "node.key").text()),
            authority: resolved(try section.required("authority", example: "authority.crt").text()))
    }

    private func lifetime(_ value: ConfigurationValue) throws(ConfigurationError) -> Int64 {
        let range = ClusterConfiguration.certificateLifetimeRange
        guard let text = value.scalarText, let seconds = TimeSpanText.seconds(text), range.contains(seconds) else {
            throw value.error(
                "expected a time from \(TimeSpanText.text(range.lowerBound)) to \(TimeSpanText.text(range.upperBound)) "
                    + "such as 24h or 7d, got \(value.kind)")
        }
        return seconds
    }
}

extension ClusterConfiguration {
    /// How long the coordinator's certificates may hold, in seconds.
    public static let certificateLifetimeRange: ClosedRange<Int64> = 5...(366 * 86_400)
}
