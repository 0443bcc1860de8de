import CProtocols

/// Roles are words in the program and numbers on the wire.
enum RoleCodec {
    private static let names: [(name: String, number: Shardline__V1__Role)] = [
        ("coordinator", SHARDLINE__V1__ROLE__ROLE_COORDINATOR),
        ("node", SHARDLINE__V1__ROLE__ROLE_NODE),
        ("operator", SHARDLINE__V1__ROLE__ROLE_OPERATOR),
    ]

    static func encode(_ role: String, _ field: Field) throws(WireError) -> Shardline__V1__Role {
        guard let entry = names.first(where: { $0.name == role }) else {
            throw field.unencodable("\(String(reflecting: role)) is no role; coordinator, node and operator are")
        }
        return entry.number
    }

    static func decode(_ number: Shardline__V1__Role, _ field: Field) throws(WireError) -> String {
        guard let entry = names.first(where: { $0.number == number }) else {
            throw field.malformed("\(number.rawValue) is no role")
        }
        return entry.name
    }
}
