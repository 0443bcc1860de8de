extension ChatTemplate {
    /// The family that a template's text belongs to.
    static func family(of template: String?) -> Family {
        guard let template, template.contains(where: { !$0.isWhitespace }) else {
            return .refused("this model's file has no chat template (tokenizer.chat_template); use completions")
        }
        // Phi-4 writes <|im_sep|> between role and content: another family.
        if template.contains("<|im_start|>"), template.contains("<|im_end|>"), !template.contains("<|im_sep|>") {
            return .chatML(defaultSystem: defaultSystem(of: template))
        }
        if template.contains("<|start_header_id|>"), template.contains("<|end_header_id|>"),
            template.contains("<|eot_id|>")
        {
            return .llama3
        }
        return .refused(
            "this model's chat template is of a family that is not supported (supported: ChatML, Llama 3); use "
                + "completions")
    }

    /// The literal system message of a ChatML template: `<|im_start|>system\n...<|im_end|>` without anything computed
    /// in between. Line breaks may be real ones or `\n`.
    private static func defaultSystem(of template: String) -> String? {
        var rest = Substring(template)
        while let opening = rest.firstRange(of: "<|im_start|>system") {
            rest = rest[opening.upperBound...]
            let content: Substring
            if rest.hasPrefix("\n") {
                content = rest.dropFirst()
            } else if rest.hasPrefix("\\n") {
                content = rest.dropFirst(2)
            } else {
                continue
            }
            guard let closing = content.firstRange(of: "<|im_end|>") else { return nil }
            if let literal = literal(content[..<closing.lowerBound]) { return literal }
        }
        return nil
    }

    /// A part of a quoted literal without its escapes; nil when a quote ends the literal inside.
    private static func literal(_ source: Substring) -> String? {
        var literal = ""
        var isEscaped = false
        for character in source {
            if isEscaped {
                switch character {
                case "n": literal.append("\n")
                case "t": literal.append("\t")
                default: literal.append(character)
                }
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "'" || character == "\"" || character == "{" || character == "}" {
                return nil
            } else {
                literal.append(character)
            }
        }
        return literal.isEmpty || isEscaped ? nil : literal
    }
}
