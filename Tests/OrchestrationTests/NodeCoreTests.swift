import Orchestration
import Testing
import Vocabulary

@Suite struct NodeCoreTests {
    private static let now = Instant(nanoseconds: 0)
    private static let node = NodeID("b") ?? .coordinator
    private static let previous = NodeID("a") ?? .coordinator
    private static let next = PeerAddress(node: NodeID("c") ?? .coordinator, host: "host", port: 1)
    private static let term = Term(5)
    private static let pipeline = PipelineID(1)

    /// The middle one of three stages, or another.
    private static func assignment(
        epoch: UInt64 = 1, index: Int = 1, layers: Range<Int> = 2..<4, pipeline: PipelineID = pipeline
    ) -> StageAssignment {
        StageAssignment(
            pipeline: pipeline, epoch: Epoch(epoch), stageIndex: index, stageCount: 3, model: "m",
            modelFingerprint: "f",
            units: StageUnits(layers: layers, hasEmbedding: index == 0, hasHead: index == 2), blockCount: 8,
            rowCountMax: 16, next: index == 2 ? nil : next, previous: index == 0 ? nil : previous)
    }

    private static func ready(index: Int = 1) -> NodeCore {
        var core = NodeCore(node: node)
        let assignment = assignment(index: index)
        #expect(core.handle(.prepareAsked(assignment, term), at: now) == [.load(assignment)])
        #expect(core.handle(.loaded(pipeline, Epoch(1)), at: now) == [.reportPrepared(pipeline, Epoch(1), term)])
        return core
    }

    private static func step(
        _ number: UInt64, epoch: UInt64 = 1, position: Int = 0, rows: Int = 4, blockIndex: Int = 0,
        blocks: [UInt32] = [], introduces: Bool = false, sequence: UInt64 = 1, ended: [UInt64] = []
    ) -> Step {
        Step(
            pipeline: pipeline, epoch: Epoch(epoch), number: StepNumber(number),
            sequences: [
                SequenceRows(
                    sequence: SequenceID(sequence), firstPosition: position, tokens: Array(repeating: 1, count: rows),
                    firstBlockIndex: blockIndex, blocks: blocks.map(BlockID.init),
                    introduction: introduces
                        ? SequenceIntroduction(sampling: SamplingParameters(), promptTokenCount: 4) : nil)
            ], ended: ended.map(SequenceID.init))
    }

    private static func arrive(_ core: inout NodeCore, _ step: Step, from sender: NodeID = previous) -> [NodeCommand] {
        core.handle(.stepArrived(step, term, from: sender), at: now)
    }

    private func isRefused(_ commands: [NodeCommand]) -> Bool {
        commands.contains { if case .refuse = $0 { true } else { false } }
    }

    private func reportedFailure(_ commands: [NodeCommand]) -> String? {
        for case .reportStepFailed(_, _, _, _, let reason) in commands { return reason }
        return nil
    }

    // MARK: Steps

    @Test func stepsAreComputedOneAtATimeAndInOrder() {
        var core = Self.ready()
        let first = Self.step(1, blocks: [5], introduces: true)
        let second = Self.step(2, position: 4, blockIndex: 1)
        #expect(Self.arrive(&core, first) == [.compute(StageBatch(step: first, blocks: [[BlockID(5)]]))])
        #expect(Self.arrive(&core, second) == [])
        var timed = first
        timed.stageNanoseconds = [7]
        #expect(
            core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: []), at: Instant(nanoseconds: 7)) == [
                .forward(timed, Self.term, to: Self.next),
                .compute(StageBatch(step: second, blocks: [[BlockID(5)]])),
            ])
    }

    @Test func theLastStageReports() {
        var core = Self.ready(index: 2)
        var step = Self.step(1, blocks: [0], introduces: true)
        step.stageNanoseconds = [3, 4]
        step.waitedNanoseconds = 9
        _ = Self.arrive(&core, step)
        let outputs = [SequenceOutput(sequence: SequenceID(1), sampled: TokenScore(token: 3, position: 4))]
        var result = StepResult(pipeline: Self.pipeline, epoch: Epoch(1), number: StepNumber(1), outputs: outputs)
        result.stageNanoseconds = [3, 4, 5]
        result.waitedNanoseconds = 9
        let later = Instant(nanoseconds: 5)
        #expect(
            core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: outputs), at: later)
                == [.reportStep(result, Self.term)])
    }

    @Test func aGapEndsTheEpoch() {
        var core = Self.ready()
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        _ = Self.arrive(&core, Self.step(2, position: 4, blockIndex: 1))
        let commands = Self.arrive(&core, Self.step(4, position: 12, blockIndex: 1))
        #expect(reportedFailure(commands) == "step 4 came where step 3 is due")
        #expect(isRefused(commands))
        // What was queued is dropped, what is computed is not sent, and what comes later is refused.
        #expect(commands.contains { if case .dropStep(_, _, StepNumber(2), _) = $0 { true } else { false } })
        let ended = core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: []), at: Self.now)
        #expect(ended == [.dropStep(Self.pipeline, Epoch(1), StepNumber(1), reason: "its epoch is over")])
        #expect(isRefused(Self.arrive(&core, Self.step(3, position: 8, blockIndex: 1))))
    }

    @Test func onlyTheStageBeforeMaySendSteps() {
        var core = Self.ready()
        let step = Self.step(1, blocks: [0], introduces: true)
        for sender in [NodeID.coordinator, Self.next.node, Self.node] {
            let commands = Self.arrive(&core, step, from: sender)
            #expect(isRefused(commands) && reportedFailure(commands) == nil)
        }
        #expect(!isRefused(Self.arrive(&core, step)))
        var first = Self.ready(index: 0)
        #expect(isRefused(Self.arrive(&first, step)))
        #expect(!isRefused(Self.arrive(&first, step, from: .coordinator)))
    }

    @Test func anUnnamedPredecessorIsWhoeverSendsFirst() {
        var core = NodeCore(node: Self.node)
        var assignment = Self.assignment()
        assignment.previous = nil
        _ = core.handle(.prepareAsked(assignment, Self.term), at: Self.now)
        _ = core.handle(.loaded(Self.pipeline, Epoch(1)), at: Self.now)
        #expect(!isRefused(Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))))
        #expect(isRefused(Self.arrive(&core, Self.step(2, position: 4, blockIndex: 1), from: Self.next.node)))
    }

    @Test func stepsOfOtherEpochsAndTermsAreRefused() {
        var core = Self.ready()
        #expect(isRefused(Self.arrive(&core, Self.step(1, epoch: 0))))
        #expect(reportedFailure(Self.arrive(&core, Self.step(1, epoch: 2))) != nil)
        #expect(isRefused(core.handle(.stepArrived(Self.step(1), Term(4), from: Self.previous), at: Self.now)))
        // A higher term is obeyed from its first word on.
        #expect(isRefused(core.handle(.stepArrived(Self.step(1), Term(6), from: Self.previous), at: Self.now)))
        #expect(core.term == Term(6))
        #expect(isRefused(core.handle(.prepareAsked(Self.assignment(epoch: 9), Self.term), at: Self.now)))
        #expect(isRefused(core.handle(.releaseAsked(Self.pipeline, Epoch(9), Self.term), at: Self.now)))
        #expect(isRefused(core.handle(.registered(Self.term), at: Self.now)))
    }

    @Test func aStepForNoStageIsReported() {
        var core = NodeCore(node: Self.node)
        #expect(reportedFailure(Self.arrive(&core, Self.step(1))) == "node b has no stage of pipeline 1")
        _ = core.handle(.prepareAsked(Self.assignment(), Self.term), at: Self.now)
        #expect(reportedFailure(Self.arrive(&core, Self.step(1))) == "the stage is still loading")
    }

    @Test func blockListsAreChecked() {
        let flaws: [(Step, String)] = [
            (Self.step(1, blocks: [0]), "was not introduced"),
            (Self.step(1, blocks: [8], introduces: true), "block 8 of a pool of 8"),
            (Self.step(1, blockIndex: 1, blocks: [0], introduces: true), "new blocks from index 1 and 0 blocks"),
            (Self.step(1, blockIndex: -1, blocks: [0], introduces: true), "new blocks from index -1"),
            (Self.step(1, position: 30, rows: 4, blocks: [0], introduces: true), "only 1 blocks"),
            (Self.step(1, position: -1, blocks: [0], introduces: true), "from position -1"),
            (Self.step(1, position: .max, blocks: [0], introduces: true), "has rows from position"),
            (Self.step(1, rows: 0, blocks: [0], introduces: true), "has no rows"),
            (Self.step(1, rows: 17, blocks: [0], introduces: true), "17 rows, the most are 16"),
        ]
        for (step, reason) in flaws {
            var core = Self.ready()
            let commands = Self.arrive(&core, step)
            #expect(reportedFailure(commands)?.contains(reason) == true, "\(commands)")
            #expect(isRefused(commands))
        }
        var twice = Self.step(1, blocks: [0], introduces: true)
        twice.sequences.append(twice.sequences[0])
        var core = Self.ready()
        #expect(reportedFailure(Self.arrive(&core, twice))?.contains("stands twice") == true)
    }

    @Test func blockListsGrowAreReplacedAndForgotten() {
        var core = Self.ready()
        func blocks(_ step: Step) -> [BlockID]? {
            let commands = Self.arrive(&core, step)
            _ = core.handle(.computed(Self.pipeline, Epoch(1), step.number, outputs: []), at: Self.now)
            for case .compute(let batch) in commands { return batch.blocks[0] }
            return nil
        }
        #expect(blocks(Self.step(1, blocks: [3, 4], introduces: true)) == [BlockID(3), BlockID(4)])
        #expect(blocks(Self.step(2, position: 4, blockIndex: 2, blocks: [6])) == [3, 4, 6].map(BlockID.init))
        #expect(blocks(Self.step(3, position: 8, blockIndex: 1, blocks: [7])) == [3, 7].map(BlockID.init))
        #expect(blocks(Self.step(4, blocks: [1], introduces: true)) == [BlockID(1)])
        #expect(blocks(Self.step(5, blocks: [2], introduces: true, ended: [1])) == [BlockID(2)])
        #expect(blocks(Self.step(6, position: 4, blockIndex: 1, ended: [1])) == nil)
    }

    @Test func theQueueIsBounded() {
        var core = NodeCore(node: Self.node, queuedStepCountMax: 2)
        _ = core.handle(.prepareAsked(Self.assignment(), Self.term), at: Self.now)
        _ = core.handle(.loaded(Self.pipeline, Epoch(1)), at: Self.now)
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        for number in UInt64(2)...3 {
            #expect(!isRefused(Self.arrive(&core, Self.step(number, position: 4, blockIndex: 1))))
        }
        #expect(
            reportedFailure(Self.arrive(&core, Self.step(4, position: 4, blockIndex: 1)))
                == "2 steps are queued already")
    }

    @Test func aFailedComputationIsReported() {
        var core = Self.ready()
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        let commands = core.handle(
            .computeFailed(Self.pipeline, Epoch(1), StepNumber(1), reason: "out of memory"), at: Self.now)
        #expect(reportedFailure(commands) == "out of memory")
    }

    // MARK: Losses

    @Test func aLostNeighbourEndsTheEpoch() {
        for peer in [Self.previous, Self.next.node] {
            var core = Self.ready()
            _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
            _ = Self.arrive(&core, Self.step(2, position: 4, blockIndex: 1))
            let commands = core.handle(.peerLost(peer, reason: "reset"), at: Self.now)
            #expect(reportedFailure(commands) == "the connection to node \(peer) is lost: reset")
            #expect(commands.contains { if case .dropStep(_, _, StepNumber(2), _) = $0 { true } else { false } })
            #expect(core.handle(.peerLost(peer, reason: "reset"), at: Self.now) == [])
        }
        var core = Self.ready()
        #expect(core.handle(.peerLost(NodeID("far") ?? .coordinator, reason: "reset"), at: Self.now) == [])
    }

    @Test func withoutItsCoordinatorAStageKeepsOnlyItsWeights() {
        var core = Self.ready()
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        _ = Self.arrive(&core, Self.step(2, position: 4, blockIndex: 1))
        let commands = core.handle(.coordinatorLost, at: Self.now)
        #expect(commands.count == 1 && reportedFailure(commands) == nil)
        _ = core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: []), at: Self.now)
        // The next coordinator begins with epoch 1 again; the same units are not unloaded.
        let again = Self.assignment(epoch: 1)
        #expect(core.handle(.prepareAsked(again, Term(6)), at: Self.now) == [.load(again)])
        #expect(
            core.handle(.loaded(Self.pipeline, Epoch(1)), at: Self.now)
                == [.reportPrepared(Self.pipeline, Epoch(1), Term(6))])
    }

    // MARK: Preparing

    @Test func preparingAgainWaitsForWhatIsUnderWay() {
        var core = Self.ready()
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        let second = Self.assignment(epoch: 2)
        #expect(core.handle(.prepareAsked(second, Self.term), at: Self.now) == [])
        #expect(
            core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: []), at: Self.now) == [
                .dropStep(Self.pipeline, Epoch(1), StepNumber(1), reason: "its epoch is over"), .load(second),
            ])
        let third = Self.assignment(epoch: 3, layers: 2..<5)
        #expect(core.handle(.prepareAsked(third, Self.term), at: Self.now) == [])
        #expect(
            core.handle(.loaded(Self.pipeline, Epoch(2)), at: Self.now) == [
                .unload(Self.pipeline, Epoch(2)), .load(third),
            ])
        #expect(
            core.handle(.loaded(Self.pipeline, Epoch(3)), at: Self.now)
                == [.reportPrepared(Self.pipeline, Epoch(3), Self.term)])
    }

    @Test func preparingIsRepeatableAndNeverGoesBack() {
        var core = Self.ready()
        #expect(
            core.handle(.prepareAsked(Self.assignment(), Self.term), at: Self.now)
                == [.reportPrepared(Self.pipeline, Epoch(1), Self.term)])
        #expect(isRefused(core.handle(.prepareAsked(Self.assignment(layers: 0..<2), Self.term), at: Self.now)))
        #expect(isRefused(core.handle(.prepareAsked(Self.assignment(epoch: 0), Self.term), at: Self.now)))
        var wrong = Self.assignment(epoch: 2)
        wrong.next = nil
        #expect(isRefused(core.handle(.prepareAsked(wrong, Self.term), at: Self.now)))
    }

    @Test func aFailedLoadIsReported() {
        var core = NodeCore(node: Self.node)
        _ = core.handle(.prepareAsked(Self.assignment(), Self.term), at: Self.now)
        #expect(
            core.handle(.loadFailed(Self.pipeline, Epoch(1), reason: "no file"), at: Self.now)
                == [.reportFailed(Self.pipeline, Epoch(1), Self.term, reason: "no file")])
    }

    @Test func releasingUnloadsWhenNothingIsUnderWay() {
        var core = Self.ready()
        #expect(isRefused(core.handle(.releaseAsked(Self.pipeline, Epoch(0), Self.term), at: Self.now)))
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        #expect(core.handle(.releaseAsked(Self.pipeline, Epoch(1), Self.term), at: Self.now) == [])
        #expect(
            core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: []), at: Self.now) == [
                .dropStep(Self.pipeline, Epoch(1), StepNumber(1), reason: "its epoch is over"),
                .unload(Self.pipeline, Epoch(1)),
            ])
        #expect(core.handle(.releaseAsked(Self.pipeline, Epoch(1), Self.term), at: Self.now) == [])
        #expect(
            core.handle(.prepareAsked(Self.assignment(epoch: 2), Self.term), at: Self.now)
                == [.load(Self.assignment(epoch: 2))])
    }

    @Test func pipelinesShareTheNode() {
        var core = Self.ready()
        let other = PipelineID(2)
        let assignment = Self.assignment(pipeline: other)
        #expect(core.handle(.prepareAsked(assignment, Self.term), at: Self.now) == [.load(assignment)])
        _ = core.handle(.loaded(other, Epoch(1)), at: Self.now)
        _ = Self.arrive(&core, Self.step(1, blocks: [0], introduces: true))
        var step = Self.step(1, blocks: [0], introduces: true)
        step.pipeline = other
        #expect(Self.arrive(&core, step) == [])
        let commands = core.handle(.computed(Self.pipeline, Epoch(1), StepNumber(1), outputs: []), at: Self.now)
        #expect(commands.last == .compute(StageBatch(step: step, blocks: [[BlockID(0)]])))
    }
}
