import Distributed
import Synchronization
import Transport
import Vocabulary
import Wire

/// What an `Echo` was told.
final class Notebook: Sendable {
    private let numbers = Mutex<[UInt64]>([])
    private let words = Mutex<[String]>([])
    func write(_ number: UInt64) { numbers.withLock { $0.append(number) } }
    func write(_ word: String) { words.withLock { $0.append(word) } }
    var allNumbers: [UInt64] { numbers.withLock { $0 } }
    var allWords: [String] { words.withLock { $0 } }
}

distributed actor Echo {
    typealias ActorSystem = ClusterActorSystem

    nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }
    let notebook: Notebook

    init(notebook: Notebook, actorSystem: ClusterActorSystem) {
        self.notebook = notebook
        self.actorSystem = actorSystem
    }

    distributed func echo(_ value: TestValue) -> TestValue { value }

    distributed func echoOnBulkLane(_ value: TestValue) -> TestValue { value }

    distributed func nothing(_ value: TestValue) { notebook.write(value.number) }

    distributed func note(_ value: TestValue) { notebook.write(value.number) }

    distributed func noteOnControl(_ value: TestValue) { notebook.write(value.number) }

    /// Takes `number` milliseconds.
    distributed func noteSlowly(_ value: TestValue) async throws {
        try await Task.sleep(for: .milliseconds(value.number))
        notebook.write(value.number)
    }

    distributed func wait(_ value: TestValue) async throws -> TestValue {
        notebook.write("begun")
        do {
            try await Task.sleep(for: .milliseconds(value.number))
        } catch {
            notebook.write("cancelled")
            throw error
        }
        return value
    }

    distributed func fail(_ value: TestValue) throws -> TestValue {
        if value.text.isEmpty { throw Wrong() }
        throw RemoteFailure(code: value.text, message: "as told")
    }

    distributed func sender(_ value: TestValue) -> TestValue {
        TestValue(0, ClusterActorSystem.sender?.node.name ?? "nobody")
    }

    distributed func sendUnencodable(_ value: TestValue) -> TestValue { TestValue(0, "unencodable") }

    /// Not in the table.
    distributed func unlisted(_ value: TestValue) -> TestValue { value }

    struct Wrong: Error, CustomStringConvertible {
        var description: String { "something is wrong" }
    }
}

/// Has a method of its own, to be called on an `Echo`.
distributed actor Other {
    typealias ActorSystem = ClusterActorSystem
    distributed func other(_ value: TestValue) -> TestValue { value }
}

enum EchoMethods {
    static let list: [DistributedMethod] = [
        DistributedMethod(number: 1, name: "Echo.echo", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Echo.self).echo(TestValue())
        },
        DistributedMethod(number: 2, name: "Echo.echoOnBulkLane", lane: .bulk, isOneWay: false) {
            _ = try await $0.stub(of: Echo.self).echoOnBulkLane(TestValue())
        },
        DistributedMethod(number: 3, name: "Echo.nothing", lane: .control, isOneWay: false) {
            try await $0.stub(of: Echo.self).nothing(TestValue())
        },
        DistributedMethod(number: 4, name: "Echo.note", lane: .activations, isOneWay: true) {
            try await $0.stub(of: Echo.self).note(TestValue())
        },
        DistributedMethod(number: 5, name: "Echo.noteSlowly", lane: .activations, isOneWay: true) {
            try await $0.stub(of: Echo.self).noteSlowly(TestValue())
        },
        DistributedMethod(number: 6, name: "Echo.wait", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Echo.self).wait(TestValue())
        },
        DistributedMethod(number: 7, name: "Echo.fail", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Echo.self).fail(TestValue())
        },
        DistributedMethod(number: 8, name: "Echo.sender", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Echo.self).sender(TestValue())
        },
        DistributedMethod(number: 9, name: "Echo.sendUnencodable", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Echo.self).sendUnencodable(TestValue())
        },
        DistributedMethod(number: 10, name: "Echo.noteOnControl", lane: .control, isOneWay: true) {
            (echo: Echo, value: TestValue) in try await echo.noteOnControl(value)
        },
        DistributedMethod(number: 20, name: "Other.other", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Other.self).other(TestValue())
        },
    ]
}
