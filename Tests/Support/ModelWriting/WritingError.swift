/// Why a model file cannot be written; the message names the thing and the fix.
package struct WritingError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
