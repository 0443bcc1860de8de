import ConfigurationFile
import Testing

@Suite struct EnvironmentDefaultsTests {
    private let twins = EnvironmentDefaults([
        .option("model", short: "m"), .option("max-concurrency"), .toggle("ignore-eos"), .toggle("quiet", short: "q"),
    ])

    private let environment = [
        "SHARDLINE_MODEL": "env.gguf", "SHARDLINE_MAX_CONCURRENCY": "-8", "SHARDLINE_IGNORE_EOS": "yes",
        "SHARDLINE_QUIET": "0", "SHARDLINE_UNKNOWN": "x", "MODEL": "y",
    ]

    @Test func addsWhatIsNotGiven() throws {
        #expect(
            try twins.merge(into: ["local", "file"], environment: environment)
                == ["local", "file", "--model=env.gguf", "--max-concurrency=-8", "--ignore-eos"])
        #expect(try twins.merge(into: [], environment: [:]) == [])
    }

    @Test(arguments: [
        ["--model", "x"], ["--model=x"], ["-m", "x"], ["-mx"], ["-m=x"], ["local", "--model", "x"],
    ])
    func theCommandLineWins(arguments: [String]) throws {
        let merged = try twins.merge(into: arguments, environment: ["SHARDLINE_MODEL": "env"])
        #expect(merged == arguments)
    }

    @Test func togglesCanBeTurnedOff() throws {
        let merged = try twins.merge(into: ["--no-ignore-eos"], environment: environment)
        #expect(!merged.contains("--ignore-eos"))
    }

    @Test func staysBeforeTheTerminator() throws {
        #expect(
            try twins.merge(into: ["a", "--", "--model", "b"], environment: ["SHARDLINE_MODEL": "env"])
                == ["a", "--model=env", "--", "--model", "b"])
    }

    @Test(arguments: ["1", "true", "YES", "on"])
    func knowsWordsForOn(word: String) throws {
        #expect(try twins.merge(into: [], environment: ["SHARDLINE_QUIET": word]) == ["--quiet"])
    }

    @Test(arguments: ["0", "false", "No", "off", ""])
    func knowsWordsForOff(word: String) throws {
        #expect(try twins.merge(into: [], environment: ["SHARDLINE_QUIET": word]) == [])
    }

    @Test func refusesOtherWords() {
        let error = #expect(throws: EnvironmentDefaults.Failure.self) {
            try twins.merge(into: [], environment: ["SHARDLINE_QUIET": "maybe"])
        }
        #expect(error?.description.contains("SHARDLINE_QUIET is 'maybe'; it must be 1, true") == true)
        #expect(throws: Never.self) { try twins.merge(into: ["-q"], environment: ["SHARDLINE_QUIET": "maybe"]) }
    }

    @Test func emptyValuesAreNotSet() throws {
        #expect(try twins.merge(into: [], environment: ["SHARDLINE_MODEL": ""]) == [])
    }

    @Test func helpNamesEveryTwin() {
        for flag in twins.flags { #expect(twins.helpText.contains("--\(flag.name)  \(flag.variable)")) }
        #expect(EnvironmentDefaults.help("The model.", "max-num-seqs") == "The model. [SHARDLINE_MAX_NUM_SEQS]")
    }
}
