import CPlatform

enum SHA256 {
    static func digest(_ bytes: UnsafeRawBufferPointer) throws(IdentityError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let status = digest.withUnsafeMutableBufferPointer { target in
            EVP_Digest(bytes.baseAddress, bytes.count, target.baseAddress, nil, EVP_sha256(), nil)
        }
        guard status == 1 else { throw IdentityError(.system, "OpenSSL cannot compute a SHA-256 on this machine") }
        return digest
    }

    static func digest(_ bytes: [UInt8]) throws(IdentityError) -> [UInt8] {
        let result = bytes.withUnsafeBytes { buffer in Result { () throws(IdentityError) in try digest(buffer) } }
        return try result.get()
    }
}
