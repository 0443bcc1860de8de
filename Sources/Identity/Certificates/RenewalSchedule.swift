/// When a certificate of the cluster's own authority is to be renewed.
public enum RenewalSchedule {
    /// The moment, seconds since 1970: at two thirds of the certificate's life, and up to a twelfth of it earlier, so
    /// that nodes which enrolled together do not come back together.
    ///
    /// - Parameter jitter: 0 to 1, drawn once for each certificate.
    public static func renewal(of identity: CertifiedIdentity, jitter: Double) -> Int64 {
        let start = min(identity.notBefore + CertificateAuthority.backdatingSeconds, identity.notAfter)
        let lifetime = identity.notAfter - start
        return start + lifetime * 2 / 3 - Int64(Double(lifetime) / 12 * min(max(jitter, 0), 1))
    }

    /// How long to wait after a failed try, in seconds: often enough to try some ten times before the end.
    public static func retrySeconds(of identity: CertifiedIdentity) -> Int64 {
        let start = min(identity.notBefore + CertificateAuthority.backdatingSeconds, identity.notAfter)
        return min(max((identity.notAfter - start) / 30, 1), 60)
    }
}
