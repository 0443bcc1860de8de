import Cluster
import Foundation
import Testing
import Transport
import Wire

@Suite struct ClusterMethodsTests {
    /// A number that moves, or a method that changes its lane, breaks clusters of mixed versions.
    @Test func agreeWithTheProtocolsFolder() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Protocols/methods.txt")
        let listed = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }
            .map { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
        let written = ClusterMethods.all.map {
            ["\($0.number)", $0.name, "\($0.lane)", $0.isOneWay ? "oneWay" : "call"]
        }
        #expect(listed == written)
    }

    @Test func everyMethodIsFoundAtStart() async throws {
        _ = try await ClusterMethods.discover()
    }
}
