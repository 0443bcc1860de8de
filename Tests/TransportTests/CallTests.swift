import Distributed
import Memory
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Calls and one-way messages", .inBothModes, .timeLimit(.minutes(4)))
struct CallTests {
    @Test func callsReturnWhatTheMethodReturns() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            for number in 0..<100 as Range<UInt64> {
                let value = try await echo.echo(TestValue(number, "value \(number)"))
                #expect(value.number == number)
                #expect(value.text == "value \(number)")
            }
            // And the other way, on the same lanes.
            let back = try await b.echo(of: a.node).echo(TestValue(5))
            #expect(back.number == 5)
            try await echo.nothing(TestValue(3))
            #expect(b.notebook.allNumbers == [3])
            #expect(a.connectedCount == 1 && b.connectedCount == 1)
        }
    }

    @Test func theStampTravelsWithTheSendersIncarnation() async throws {
        try await withPair { a, b in
            var value = TestValue(1)
            value.stamp = FrameStamp(
                term: Term(3), incarnation: Incarnation(99), epoch: Epoch(4), step: StepNumber(5))
            let reply = try await a.echo(of: b.node).echo(value)
            value.stamp.incarnation = b.system.identity.incarnation
            #expect(reply.stamp == value.stamp)
        }
    }

    @Test func methodsKnowTheirSender() async throws {
        try await withPair { a, b in
            let remote = try await a.echo(of: b.node).sender(TestValue()).text
            let local = try await b.echo.sender(TestValue()).text
            #expect(remote == "a" && local == "nobody")
        }
    }

    @Test func tenThousandMessagesKeepTheirOrder() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            for number in 0..<10_000 as Range<UInt64> { try await echo.note(TestValue(number)) }
            try await eventually("all messages come") { b.notebook.allNumbers.count == 10_000 }
            #expect(b.notebook.allNumbers == Array(0..<10_000))
        }
    }

    @Test func aFullMailboxHoldsTheLaneBackAndLosesNothing() async throws {
        try await withPair({ $0.mailboxFrameCountMax = 8 }) { a, b in
            let echo = try a.echo(of: b.node)
            for number in 0..<40 as Range<UInt64> { try await echo.noteSlowly(TestValue(number % 3)) }
            for number in 100..<2000 as Range<UInt64> { try await echo.note(TestValue(number)) }
            // Control is another lane and not held back.
            #expect(try await b.echo(of: a.node).echo(TestValue(4)).number == 4)
            try await eventually("all messages come") { b.notebook.allNumbers.count == 1940 }
            #expect(Array(b.notebook.allNumbers.dropFirst(40)) == Array(100..<2000))
        }
    }

    @Test func aFullMailboxRefusesCalls() async throws {
        try await withPair({ $0.mailboxFrameCountMax = 4 }) { a, b in
            let echo = try a.echo(of: b.node)
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<10 {
                    group.addTask { await error(RemoteFailure.self) { try await echo.wait(TestValue(50)) }?.code ?? "" }
                }
                var codes: [String] = []
                for try await code in group { codes.append(code) }
                // Four wait, and perhaps the first one has begun before the last ones come.
                #expect([5, 6].contains(codes.count { $0 == RemoteFailure.Code.overloaded }))
            }
        }
    }

    @Test func manyCallsAtOnce() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<500 as Range<UInt64> {
                    group.addTask { try await echo.echo(TestValue(number)).number == number }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func errorsCross() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            let own = await error(RemoteFailure.self) { try await echo.fail(TestValue(0, "stale")) }
            #expect(own == RemoteFailure(code: "stale", message: "as told"))
            let other = await error(RemoteFailure.self) { try await echo.fail(TestValue()) }
            #expect(other == RemoteFailure(code: RemoteFailure.Code.internalError, message: "something is wrong"))
            let unencodable = await error(RemoteFailure.self) { try await echo.sendUnencodable(TestValue()) }
            #expect(unencodable?.code == RemoteFailure.Code.internalError)
            let unsendable = await error(TransportError.self) { try await echo.echo(TestValue(0, "unencodable")) }
            #expect(unsendable?.kind == .invalidMessage)
            // Nothing of this harms the connection.
            #expect(try await echo.echo(TestValue(1)).number == 1)
        }
    }

    @Test func unknownObjectsAndMethods() async throws {
        let a = try await TestProcess("a")
        // An older build that does not know two of the methods.
        let b = try await TestProcess("b", methods: EchoMethods.list.filter { ![1, 4].contains($0.number) })
        try await a.system.connect(host: "127.0.0.1", port: try b.listen())
        let echo = try a.echo(of: b.node)
        let method = await error(RemoteFailure.self) { try await echo.echo(TestValue(1)) }
        #expect(method?.code == RemoteFailure.Code.unknownMethod)
        try await echo.note(TestValue(1))
        let nobody = try Echo.resolve(id: ActorAddress(node: b.node, object: 8), using: a.system)
        let object = await error(RemoteFailure.self) { try await nobody.sender(TestValue()) }
        #expect(object?.code == RemoteFailure.Code.unknownObject)
        try await nobody.noteSlowly(TestValue())
        // A method of another actor type must not be executed on this one.
        let other = try Other.resolve(id: ActorAddress(node: b.node, object: TestProcess.object), using: a.system)
        let type = await error(RemoteFailure.self) { try await other.other(TestValue()) }
        #expect(type?.code == RemoteFailure.Code.unknownMethod)
        let unlisted = await error(TransportError.self) { try await echo.unlisted(TestValue()) }
        #expect(unlisted?.kind == .invalidMethod)
        let strange = try Echo.resolve(
            id: ActorAddress(node: try #require(NodeID("strange")), object: 7), using: a.system)
        let disconnected = await error(TransportError.self) { try await strange.echo(TestValue()) }
        #expect(disconnected?.kind == .notConnected)
        #expect(try await echo.sender(TestValue()).text == "a")
        #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
        await a.end()
        await b.end()
    }

    @Test func deadlines() async throws {
        try await withPair({ $0.callDeadline = .milliseconds(200) }) { a, b in
            let echo = try a.echo(of: b.node)
            let begin = EventLoop.now
            let byDefault = await error(TransportError.self) { try await echo.wait(TestValue(60_000)) }
            #expect(byDefault?.kind == .deadlineExceeded)
            #expect(byDefault?.peer == b.node)
            let local = await error(TransportError.self) {
                try await ClusterActorSystem.withDeadline(50) { try await echo.wait(TestValue(60_000)) }
            }
            #expect(local?.kind == .deadlineExceeded)
            #expect((EventLoop.now - begin).seconds < 30)
            // The other end was told, and stopped what it had begun.
            try await eventually("the calls are cancelled over there") {
                let words = b.notebook.allWords
                return words.count { $0 == "begun" } == words.count { $0 == "cancelled" }
            }
            let longer = try await ClusterActorSystem.withDeadline(60_000) { try await echo.wait(TestValue(400)) }
            #expect(longer.number == 400)
        }
    }

    @Test func cancellationEndsTheWaitAndReachesTheOtherEnd() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            let task = Task { try await echo.wait(TestValue(60_000)) }
            let queued = Task { try await echo.wait(TestValue(60_000)) }
            try await eventually("one of them runs") { b.notebook.allWords == ["begun"] }
            let begin = EventLoop.now
            queued.cancel()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await #expect(throws: CancellationError.self) { try await queued.value }
            #expect((EventLoop.now - begin).seconds < 30)
            try await eventually("the call is cancelled over there") { b.notebook.allWords.contains("cancelled") }
            #expect(try await echo.echo(TestValue(1)).number == 1)
            let early = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await echo.wait(TestValue(60_000))
            }
            await #expect(throws: CancellationError.self) { try await early.value }
        }
    }

    @Test func actorsAreHeldWeakly() async throws {
        try await withPair { a, b in
            var second: Echo? = b.system.withObject(99) { Echo(notebook: b.notebook, actorSystem: b.system) }
            #expect(second?.id == ActorAddress(node: b.node, object: 99))
            let remote = try Echo.resolve(id: ActorAddress(node: b.node, object: 99), using: a.system)
            #expect(try await remote.echo(TestValue(1)).number == 1)
            second = nil
            try await eventually("the actor is gone") {
                await error(RemoteFailure.self) { try await remote.echo(TestValue(1)) }?.code
                    == RemoteFailure.Code.unknownObject
            }
            #expect(throws: TransportError.self) {
                try Echo.resolve(id: ActorAddress(node: b.node, object: 99), using: b.system)
            }
            // Others get numbers of their own.
            let third = Echo(notebook: b.notebook, actorSystem: b.system)
            #expect(third.id.object > 1 << 32)
            #expect(try Echo.resolve(id: third.id, using: b.system) === third)
        }
    }

    @Test func wrongTables() async throws {
        let twice = EchoMethods.list + [EchoMethods.list[0]]
        #expect(await error(TransportError.self) { try await MethodTable.discover(twice) }?.kind == .invalidMethod)
        var sameMethod = EchoMethods.list[0]
        sameMethod.number = 50
        let same = EchoMethods.list + [sameMethod]
        #expect(await error(TransportError.self) { try await MethodTable.discover(same) }?.kind == .invalidMethod)
        var oneWay = EchoMethods.list[0]
        oneWay.isOneWay = true
        let answering = [oneWay]
        #expect(await error(TransportError.self) { try await MethodTable.discover(answering) }?.kind == .invalidMethod)
        let idle = [DistributedMethod(number: 1, name: "nothing", lane: .control, isOneWay: false) { _ in }]
        #expect(await error(TransportError.self) { try await MethodTable.discover(idle) }?.kind == .invalidMethod)
    }
}
