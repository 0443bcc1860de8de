/// Common words: each is one token for nearly every tokenizer.
enum LoadWords {
    /// `count` words with a space between them.
    static func text(count: Int, using random: inout SplitMix64) -> String {
        var text = ""
        for index in 0..<count {
            if index > 0 { text += " " }
            text += words[random.below(words.count)]
        }
        return text
    }

    private static let words = [
        "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state",
        "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company",
        "system", "program", "question", "work", "number", "night", "point", "home", "water", "room", "mother", "area",
        "money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue",
        "side", "kind", "head", "house", "service", "friend", "father", "power", "hour", "game", "line", "end",
        "member", "law", "car",
    ]
}
