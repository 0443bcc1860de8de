import Foundation

/// What a process has taken of the machine.
public struct ProcessUsage: Hashable, Sendable {
    /// On all cores, in the program and in the kernel for it.
    public var cpuSeconds: Double
    /// The most memory it ever held.
    public var memoryByteCountMax: Int

    public init(cpuSeconds: Double, memoryByteCountMax: Int) {
        self.cpuSeconds = cpuSeconds
        self.memoryByteCountMax = memoryByteCountMax
    }

    /// Of this process until now.
    public static func current() -> ProcessUsage {
        var usage = rusage()
        #if canImport(Darwin)
        getrusage(RUSAGE_SELF, &usage)
        let memoryUnit = 1
        #else
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let memoryUnit = 1024
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return ProcessUsage(
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            memoryByteCountMax: Int(usage.ru_maxrss) * memoryUnit)
    }
}
