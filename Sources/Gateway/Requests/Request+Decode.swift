import Foundation
import Hummingbird
import NIOCore

extension Request {
    /// The body as a checked request.
    func decodeBody<T: Decodable>(as type: T.Type, byteCountMax: Int) async throws -> T {
        let tooLarge = APIError(
            status: .contentTooLarge, type: "invalid_request_error",
            message: "the body is larger than \(byteCountMax) bytes", code: "body_too_large")
        if let declared = headers[.contentLength].flatMap({ Int($0) }), declared > byteCountMax { throw tooLarge }
        let bytes: ByteBuffer
        do {
            bytes = try await body.collect(upTo: byteCountMax)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
        } catch let error as APIError {
            throw error
        } catch DecodingError.dataCorrupted(let context) {
            let reason = context.underlyingError.map { ": " + Self.describe($0) } ?? ""
            throw APIError.invalid("the body is not valid JSON\(reason)", code: "invalid_json")
        } catch {
            throw APIError.invalid("the body is not what was expected: \(error)")
        }
    }

    private static func describe(_ error: any Error) -> String {
        let information = (error as NSError).userInfo
        return information[NSDebugDescriptionErrorKey] as? String ?? "\(error)"
    }
}
