// swift-tools-version: 6.2
import PackageDescription

// The rooms of the house and their rows are described in docs/architecture.md; a target imports only targets of
// lower rows, which Tests/ArchitectureTests enforces.

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// Kernels are compiled for speed in debug builds too, and no compiler may contract a*b+c on its own:
// every value is fixed to the bit (docs/numerics.md).
let kernelSettings: [CSetting] = [
    .unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra", "-Werror", "-std=c11"])
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")

func room(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

let package = Package(
    name: "shardline",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "shardline", targets: ["shardline"]),
        .executable(name: "shardline-node", targets: ["shardline-node"]),
        .executable(name: "shardline-load", targets: ["shardline-load"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.11.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.1.0"),
    ],
    targets: [
        // Row 7
        program("shardline", ["Cluster", "Gateway", "ConfigurationFile", "Identity", "OpenAIClient", "Orchestration",
            "Models", "Telemetry", "Tensors", "Transport", "Vocabulary", argumentParser, logging, lifecycle]),
        program("shardline-node", ["Cluster", "ConfigurationFile", "Identity", "Memory", "Telemetry", "Tensors", "Transport",
            "Vocabulary", argumentParser, logging]),
        program("shardline-load", ["LoadTest", "OpenAIClient", "ConfigurationFile", "Telemetry", argumentParser]),
        // Row 6
        room("Gateway", ["Models", "Vocabulary", hummingbird, lifecycle, logging, nioCore]),
        // Row 5
        room("Cluster", ["Orchestration", "Inference", "Models", "Transport", "Tensors", "Wire", "Identity",
            "ConfigurationFile", "Memory", "Telemetry", "Vocabulary", "CPlatform", logging]),
        // Row 4
        room("Orchestration", ["Models", "Tensors", "Vocabulary", deque]),
        room("Inference", ["Models", "Tensors", "Memory", "Vocabulary"]),
        // Row 3
        room("Models", ["Tensors", "Memory", "Vocabulary", "CPlatform"]),
        room("Transport", ["Wire", "Identity", "Memory", "Telemetry", "Vocabulary", "CPlatform", logging]),
        room("LoadTest", ["OpenAIClient", "Telemetry"]),
        // Row 2
        room("Tensors", ["CKernels", "Memory", "Vocabulary", "CPlatform"]),
        room("Wire", ["CProtocols", "CPlatform", "Memory", "Vocabulary"]),
        room("Identity", ["CPlatform", "Vocabulary"]),
        room("ConfigurationFile", ["Vocabulary", yams]),
        room("OpenAIClient", ["Telemetry", nioCore, nioPosix, nioHTTP]),
        // Row 1
        room("Vocabulary", []),
        room("Memory", ["CPlatform"]),
        room("Telemetry", [logging, coreMetrics, metrics, histogram]),
        // Row 0
        .target(name: "CKernels", cSettings: kernelSettings, linkerSettings: [.linkedLibrary("pthread")]),
        .target(name: "CProtocols", linkerSettings: [.linkedLibrary("protobuf-c")]),
        .target(name: "CPlatform", linkerSettings: [
            .linkedLibrary("lz4"), .linkedLibrary("numa"), .linkedLibrary("ssl"), .linkedLibrary("crypto"),
        ]),
        // Tests: a folder a target.
        tests("ArchitectureTests", []),
        tests("VocabularyTests", ["Vocabulary"]),
        tests("MemoryTests", ["Memory"]),
        tests("TelemetryTests", ["Telemetry", logging, metrics]),
        tests("ConfigurationFileTests", ["ConfigurationFile", "Vocabulary", yams]),
        tests("TensorsTests", ["Tensors", "CKernels", "Memory", "Vocabulary"], resources: [.copy("Fixtures")]),
        tests("IdentityTests", ["Identity", "Vocabulary"]),
        tests("WireTests", ["Wire", "WireSamples", "Memory", "Vocabulary"]),
        tests("TransportTests", ["Transport", "Wire", "Identity", "Memory", "Vocabulary", "CPlatform",
            "CAllocationCount", logging]),
        tests("ModelsTests", ["Models", "Tensors", "Memory", "Vocabulary"]),
        tests("InferenceTests", ["Inference", "ModelWriting", "Models", "Tensors", "Memory", "Vocabulary",
            "CAllocationCount"]),
        tests("OrchestrationTests", ["ClusterSimulation", "Orchestration", "Vocabulary"]),
        tests("OpenAIClientTests", ["OpenAIClient"]),
        tests("LoadTestTests", ["LoadTest", "OpenAIClient", "Telemetry"]),
        tests("GatewayTests", ["Gateway", "Models", "Vocabulary", hummingbird, lifecycle, logging, nioCore,
            nioPosix]),
        tests("ClusterTests", ["Cluster", "Identity", "Orchestration", "Transport", "Wire", "Vocabulary", logging]),
        tests("BenchmarksTests", ["shardline-bench", "ModelWriting", "Models", "Tensors", "Memory", "Vocabulary"]),
        // A whole cluster but its arithmetic, sockets and time, from a seed; run aloud by tools/simulate.
        .target(name: "ClusterSimulation", dependencies: ["Orchestration", "Vocabulary"],
            path: "Tests/Support/ClusterSimulation", swiftSettings: strict),
        .executableTarget(name: "shardline-simulate", dependencies: ["ClusterSimulation"],
            path: "Tests/Simulate", swiftSettings: strict),
        // What the coordinator's decisions cost; built and run by tools/bench-core.
        .executableTarget(name: "shardline-bench-core", dependencies: ["Orchestration", "Vocabulary"],
            path: "Tests/CoreBenchmark", swiftSettings: strict),
        .target(name: "CAllocationCount", path: "Tests/Support/CAllocationCount"),
        .target(name: "WireSamples", dependencies: ["Wire", "Vocabulary"], path: "Tests/Support/WireSamples",
            swiftSettings: strict),
        .target(name: "ModelWriting", dependencies: ["Models", "Tensors", "Memory"],
            path: "Tests/Support/ModelWriting", swiftSettings: strict),
        // Measures kernels and whole models, alone or against llama.cpp; built and run by tools/bench.
        .target(name: "CMachineLoops", dependencies: ["CKernels"], path: "Tests/Support/CMachineLoops",
            cSettings: kernelSettings),
        .executableTarget(name: "shardline-bench", dependencies: ["CMachineLoops", "Inference", "ModelWriting", "Models",
            "Tensors", "Memory", "Vocabulary", argumentParser], path: "Tests/Benchmarks", swiftSettings: strict),
        // Measures the transport against bare sockets; built and run by tools/bench-wire.
        .executableTarget(name: "shardline-bench-wire", dependencies: ["Transport", "Wire", "Memory", "Telemetry",
            "Vocabulary", "CPlatform", argumentParser, logging], path: "Tests/BenchmarksWire", swiftSettings: strict),
        // Writes and reads messages for Tests/WirePeer, which holds them against another implementation.
        .executableTarget(name: "shardline-wire-echo", dependencies: ["Wire", "WireSamples", "Memory", "Vocabulary"],
            path: "Tests/WireEcho", swiftSettings: strict),
        // Feeds mutated files, frames and configurations to every parser; built with a sanitizer by tools/fuzz.
        .executableTarget(name: "shardline-fuzz", dependencies: ["Inference", "Models", "Tensors", "Wire", "Identity",
            "Memory", "Vocabulary"],
            path: "Tests/Fuzz", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)

// Fuzzing that is guided by coverage needs instrumented code and libFuzzer, which tools/fuzz asks for with this variable.
if let libFuzzer = Context.environment["SHARDLINE_LIBFUZZER"] {
    package.targets += [
        .target(name: "CLibFuzzer", path: "Tests/Support/CLibFuzzer"),
        .executableTarget(name: "shardline-fuzz-guided", dependencies: ["CLibFuzzer", "Transport", "Wire", "Identity",
            "Memory", "Vocabulary"],
            path: "Tests/GuidedFuzz", swiftSettings: strict,
            linkerSettings: [.unsafeFlags([libFuzzer]), .linkedLibrary("stdc++")]),
    ]
}
