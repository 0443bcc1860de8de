import ArgumentParser
import LoadTest

/// Reads the values of flags whose form needs a word of explanation.
enum FlagValue {
    static func duration(_ text: String) throws -> LoadDuration {
        guard let value = LoadDuration(text) else {
            throw ValidationError("it must be a time of at most a year, such as 250ms, 90s, 10m or 1.5h")
        }
        return value
    }

    static func rate(_ text: String) throws -> RequestRate {
        guard let value = RequestRate(text) else {
            throw ValidationError("it must be above 0, such as 4, 4/s, 90/min, 1000/h or inf")
        }
        return value
    }

    static func injection(_ text: String) throws -> PromptInjection {
        guard let value = PromptInjection(text) else {
            throw ValidationError("it must be TOKENS@TIME with 1 to 1000000 tokens, such as 4096@10s")
        }
        return value
    }
}
