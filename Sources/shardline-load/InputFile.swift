import Foundation

/// Files that flags name.
enum InputFile {
    /// A file that cannot be used: exit code 78.
    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    private static let byteCountMax = 1 << 30

    static func bytes(_ path: String, flag: String) throws(Failure) -> [UInt8] {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            if let size = attributes[.size] as? Int, size > byteCountMax {
                throw Failure("\(flag) \(path): the file is longer than \(byteCountMax) bytes")
            }
            return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("\(flag) \(path): the file cannot be read: \(reason(error))")
        }
    }

    /// Fails now and not after a long run when a file cannot be written later.
    static func checkWritable(_ path: String, flag: String) throws(Failure) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw Failure("\(flag) \(path): there is no folder \(folder)")
        }
        guard !FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) || !isFolder.boolValue else {
            throw Failure("\(flag) \(path): this is a folder")
        }
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw Failure("\(flag) \(path): nothing may be written to \(folder)")
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile, .fileNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "permission denied"
        default: error.localizedDescription
        }
    }
}
