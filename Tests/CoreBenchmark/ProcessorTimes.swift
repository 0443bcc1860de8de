import Foundation

/// What the threads of this process have had of the processors, from the kernel's own count.
struct ProcessorTimes {
    /// Of the event loops' threads.
    var loopSeconds = 0.0
    /// Of all threads that live.
    var processSeconds = 0.0

    static func current() -> ProcessorTimes {
        var times = ProcessorTimes()
        let folder = "/proc/self/task"
        for thread in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let name = try? String(contentsOfFile: "\(folder)/\(thread)/comm", encoding: .utf8),
                let text = try? String(contentsOfFile: "\(folder)/\(thread)/schedstat", encoding: .utf8),
                let nanoseconds = text.split(separator: " ").first.flatMap({ Double($0) })
            else { continue }
            times.processSeconds += nanoseconds / 1e9
            if name.hasPrefix("shardline-loop") { times.loopSeconds += nanoseconds / 1e9 }
        }
        return times
    }
}
