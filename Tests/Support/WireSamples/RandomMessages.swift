package import Vocabulary
package import Wire

/// Arbitrary values that the protocol can carry.
extension RandomSource {
    package mutating func node() -> NodeID {
        let letters = Array("abcxyzABCXYZ0189._-")
        return NodeID(String(list(1...64) { letters[$0.int(0...(letters.count - 1))] })) ?? .coordinator
    }

    package mutating func text(_ counts: ClosedRange<Int> = 0...40) -> String {
        let letters = Array("az AZ09/:.-\"\\\n\u{1}äß€漢字🙂")
        return String(list(counts) { letters[$0.int(0...(letters.count - 1))] })
    }

    package mutating func stamp() -> FrameStamp {
        FrameStamp(
            term: Term(wide()), incarnation: Incarnation(wide()), epoch: Epoch(wide()), step: StepNumber(wide()))
    }

    package mutating func pipeline() -> PipelineID { PipelineID(UInt32(truncatingIfNeeded: wide())) }
    package mutating func token() -> TokenID { bool() ? TokenID(int(0...50_000)) : TokenID(int(0...Int(Int32.max))) }
    package mutating func role() -> String { ["coordinator", "node", "operator"][int(0...2)] }

    /// Any finite number but -0, whose sign a singular field does not keep.
    package mutating func float() -> Float {
        let value = Float(bitPattern: UInt32(truncatingIfNeeded: next()))
        return value.isFinite && value != 0 ? value : 0
    }

    /// Any bits at all.
    package mutating func logprob() -> Float {
        switch int(0...5) {
        case 0: -0.0
        case 1: -.infinity
        case 2: Float(bitPattern: 0x7FC1_2345)
        default: Float(bitPattern: UInt32(truncatingIfNeeded: next()))
        }
    }

    package mutating func description() -> NodeDescription {
        NodeDescription(
            node: node(), incarnation: Incarnation(wide()), host: text(), port: int(0...65_535),
            processID: Int32(truncatingIfNeeded: next()), threadCount: int(0...1024), coreCount: int(0...(1 << 20)),
            numaNodeCount: int(0...64), instructionSet: text(), memoryLimitBytes: wide(),
            readBytesPerSecond: Double(int(0...1_000_000_000)) * 1.37, multiplyAddsPerSecond: Double(wide()),
            version: text())
    }

    package mutating func units() -> StageUnits {
        let lower = int(0...60_000)
        return StageUnits(layers: lower..<(lower + int(1...5000)), hasEmbedding: bool(), hasHead: bool())
    }

    package mutating func assignment() -> StageAssignment {
        let count = int(1...4096)
        let index = bool() ? count - 1 : int(0...(count - 1))
        return StageAssignment(
            pipeline: pipeline(), epoch: Epoch(wide()), stageIndex: index, stageCount: count, model: text(),
            modelFingerprint: text(), units: units(), blockCount: int(0...Int(Int32.max)), rowCountMax: int(1...65_536),
            next: index == count - 1 ? nil : PeerAddress(node: node(), host: text(), port: int(0...65_535)),
            previous: index > 0 && bool() ? node() : nil)
    }

    package mutating func sampling() -> SamplingParameters {
        var sampling = SamplingParameters()
        sampling.temperature = abs(float())
        sampling.topK = int(0...100_000)
        sampling.topP = float()
        sampling.minP = float()
        sampling.repetitionPenalty = float()
        sampling.presencePenalty = float()
        sampling.frequencyPenalty = float()
        sampling.seed = wide()
        sampling.choice = UInt32(truncatingIfNeeded: wide())
        sampling.topLogprobCount = bool() ? nil : int(0...20)
        return sampling
    }

    package mutating func rows() -> SequenceRows {
        let tokens = list(1...(int(0...9) == 0 ? 300 : 4)) { $0.token() }
        let firstPosition = bool() ? 0 : int(0...3000)
        let firstBlock = int(0...(firstPosition / 32))
        let needed = (firstPosition + tokens.count + 31) / 32 - firstBlock
        var rows = SequenceRows(
            sequence: SequenceID(wide()), firstPosition: firstPosition, tokens: tokens, firstBlockIndex: firstBlock,
            blocks: bool() ? [] : list(needed...(needed + 2)) { BlockID(UInt32(truncatingIfNeeded: $0.next())) },
            samples: bool(), scores: bool(), suppressesEnd: bool())
        if rows.scores, bool() { rows.followingToken = token() }
        if bool() {
            rows.introduction = SequenceIntroduction(
                sampling: sampling(), promptTokenCount: int(0...100_000),
                earlierTokens: bool() ? [] : list(firstPosition...firstPosition) { $0.token() })
        }
        return rows
    }

    package mutating func step() -> Step {
        var step = Step(
            pipeline: pipeline(), epoch: Epoch(wide()), number: StepNumber(wide()),
            sequences: list(0...12) { $0.rows() },
            ended: list(0...5) { SequenceID($0.wide()) })
        step.stageNanoseconds = list(0...4) { $0.wide() }
        step.waitedNanoseconds = wide()
        return step
    }

    package mutating func score() -> TokenScore {
        TokenScore(
            token: token(), position: int(0...Int(Int32.max)), logprob: bool() ? 0 : logprob(),
            top: bool() ? [] : list(0...20) { RankedToken(token: $0.token(), logprob: $0.logprob()) })
    }

    package mutating func result() -> StepResult {
        var result = StepResult(
            pipeline: pipeline(), epoch: Epoch(wide()), number: StepNumber(wide()),
            outputs: list(0...12) { source in
                SequenceOutput(
                    sequence: SequenceID(source.wide()), scored: source.list(0...5) { $0.score() },
                    sampled: source.bool() ? source.score() : nil, isNotFinite: source.bool())
            })
        result.stageNanoseconds = list(0...4) { $0.wide() }
        result.waitedNanoseconds = wide()
        return result
    }

    package mutating func topology() -> Topology {
        Topology(
            term: Term(wide()),
            nodes: list(0...6) { Topology.NodeStatus(description: $0.description(), isConnected: $0.bool()) },
            pipelines: list(0...4) { $0.pipelineStatus() })
    }

    private mutating func pipelineStatus() -> Topology.PipelineStatus {
        let blockCount = int(0...100_000)
        let replicaCount = int(1...9)
        return Topology.PipelineStatus(
            pipeline: pipeline(), model: text(), replica: int(1...replicaCount), replicaCount: replicaCount,
            epoch: Epoch(wide()), state: text(),
            stages: list(0...6) {
                Topology.StageStatus(
                    node: $0.node(), units: $0.units(), weightBytes: $0.wide(), kvBytes: $0.wide(), isReady: $0.bool())
            },
            runningCount: int(0...1000), waitingCount: int(0...1000), blockCount: blockCount,
            freeBlockCount: int(0...blockCount))
    }

    package mutating func hello() -> Hello {
        let lowest = UInt8(int(1...255))
        return Hello(
            versions: lowest...UInt8(int(Int(lowest)...255)), programVersion: text(), node: node(),
            incarnation: Incarnation(wide()), role: role(), lane: Lane.allCases[int(0...2)],
            listenPort: int(0...65_535),
            host: text(), link: wide())
    }

    package mutating func serial() -> String {
        bytes(1...20).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// One value of every message, with its stamp.
    package mutating func everyMessage() -> [any WireValue] {
        let doneBytes = wide()
        return [
            Empty(), hello(),
            Enrol(
                tokenID: text(), secret: text(), certificateRequest: bytes(0...500), role: role(), node: node()),
            Enrolled(
                certificates: list(0...4) { $0.bytes(0...900) },
                revokedSerials: list(0...5) { $0.serial() }),
            RenewCertificate(certificateRequest: bytes(0...500), stamp: stamp()),
            CertificatesRevoked(serials: list(0...5) { $0.serial() }, stamp: stamp()),
            Welcome(version: UInt8(int(1...255)), node: node(), incarnation: Incarnation(wide()), role: role()),
            RemoteFailure(code: RemoteFailure.Code.stale, message: text()),
            RegisterRequest(description: description()),
            RegisterReply(term: Term(wide()), beatIntervalMilliseconds: int(0...60_000)),
            NodeLeaving(reason: text(), stamp: stamp()),
            PrepareStage(assignment: assignment(), term: Term(wide()), incarnation: Incarnation(wide())),
            ReleaseStage(pipeline: pipeline(), stamp: stamp()), StagePrepared(pipeline: pipeline(), stamp: stamp()),
            StageFailed(pipeline: pipeline(), reason: text(), stamp: stamp()),
            StageProgress(
                pipeline: pipeline(), doneBytes: min(doneBytes, 5000), totalBytes: max(doneBytes, 5000),
                stamp: stamp()),
            ForwardStep(step: step(), term: Term(wide()), incarnation: Incarnation(wide())),
            StepFinished(result: result(), term: Term(wide()), incarnation: Incarnation(wide())),
            StepFailed(pipeline: pipeline(), reason: text(), stamp: stamp()), TopologyRequest(),
            TopologyReply(topology: topology()),
        ]
    }
}
