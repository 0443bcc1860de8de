import ConfigurationFile
import Testing

@Suite struct HostileConfigurationTests {
    @Test func aliasesAreRefusedBeforeTheyAreExpanded() {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        bomb += "? *a29\n: 1\n"
        let error = #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.parse(yaml: bomb, path: "c.yaml")
        }
        #expect(error?.description.contains("c.yaml:2: YAML anchors and aliases (&a0 and *a0)") == true)
    }

    @Test(arguments: [
        "&x [*x]", "\" # \" : [&x a, \" # \", *x]", "'it''s': &x a\n'# ': *x", "a: &x b # c\nd: *x",
    ])
    func noTrickHidesAnAlias(yaml: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.parse(yaml: yaml, path: "c.yaml")
        }
        #expect(error?.description.contains("anchors and aliases") == true)
    }

    @Test func starsAndAmpersandsInTextsAreFine() throws {
        let yaml = "models: [{name: 'R&D *best*', path: p}]\nnodes: [{name: a}] # the *only* one & more\n"
        #expect(try ClusterConfiguration.parse(yaml: yaml, path: "c").models[0].name == "R&D *best*")
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "a:\n "])
    func deepNestingIsRefused(piece: String) {
        var yaml = String(repeating: piece, count: (1 << 20) / piece.utf8.count)
        if piece == "a:\n " {
            yaml = (0..<1400).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        }
        #expect(throws: ConfigurationError.self) { try ClusterConfiguration.parse(yaml: yaml, path: "c.yaml") }
    }

    @Test func mutatedFilesNeverTrap() {
        let good = Array(
            """
            insecure: true
            coordinator: {host: 10.0.0.1, port: 7500, minimum_nodes: 1, data_directory: data}
            models:
              - {name: one, path: "/m/one.gguf", context_length: 4096}
            nodes:
              - name: a
                cpus: "0-3, 8"
                memory: 1.5GiB
            logging: {level: debug}
            """.utf8)
        let alphabet = Array("\u{0}\t\n '\"#&*!|>%@`{}[],:?-~0129aZ\u{7F}é\u{2028}".utf8)
        var state: UInt64 = 7
        func random(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0...random(4) {
                switch random(3) {
                case 0: bytes[random(bytes.count)] = alphabet[random(alphabet.count)]
                case 1: bytes.insert(alphabet[random(alphabet.count)], at: random(bytes.count))
                default:
                    let start = random(bytes.count)
                    bytes.removeSubrange(start..<min(bytes.count, start + 1 + random(10)))
                    if bytes.isEmpty { bytes = [0x61] }
                }
            }
            do throws(ConfigurationError) {
                _ = try ClusterConfiguration.parse(yaml: String(decoding: bytes, as: UTF8.self), path: "c.yaml")
            } catch {
                #expect(error.description.hasPrefix("c.yaml"))
            }
        }
    }
}
