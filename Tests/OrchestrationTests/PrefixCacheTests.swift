import ClusterSimulation
import Orchestration
import Testing
import Vocabulary

@Suite struct PrefixCacheTests {
    // MARK: The pool against a plain model of it

    /// Blocks by the tokens they and all before them hold, and lists instead of links and counts.
    private struct PlainCache {
        var blockCount: Int
        var free: Set<BlockID>
        /// The longest unused first.
        var unused: [BlockID] = []
        var contents: [BlockID: [TokenID]] = [:]
        var holders: [BlockID: Int] = [:]
        var waiting: [(after: StepNumber, blocks: [BlockID])] = []

        func block(of tokens: [TokenID]) -> BlockID? {
            contents.first { $0.value == tokens }?.key
        }

        mutating func hold(_ block: BlockID) {
            unused.removeAll { $0 == block }
            free.remove(block)
            holders[block, default: 0] += 1
        }

        /// What is taken must be free, or the longest unused when nothing is.
        mutating func take(_ block: BlockID) -> Bool {
            let isRight = free.isEmpty ? unused.first == block : free.contains(block)
            contents[block] = nil
            hold(block)
            return isRight
        }

        mutating func release(_ blocks: [BlockID]) {
            for block in blocks.reversed() {
                holders[block, default: 0] -= 1
                guard holders[block] == 0 else { continue }
                if contents[block] == nil { free.insert(block) } else { unused.append(block) }
            }
        }

        mutating func stepFinished(_ step: StepNumber) {
            for entry in waiting where entry.after <= step { release(entry.blocks) }
            waiting.removeAll { $0.after <= step }
        }
    }

    private struct Holder {
        var tokens: [TokenID]
        var chain: BlockChain
        var blocks: [BlockID]
        var sealedCount: Int
    }

    /// Sequences begin, grow, seal and end in any order, over texts that have much in common.
    @Test func agreesWithAPlainModelUnderEveryOrderOfEvictions() throws {
        for seed in UInt64(1)...300 {
            var random = SeededRandom(seed: seed)
            let blockCount = Int.random(in: 2...12, using: &random)
            var pool = BlockPool(blockCount: blockCount)
            var plain = PlainCache(
                blockCount: blockCount, free: Set((0..<blockCount).map { BlockID(UInt32($0)) }))
            var holders: [Holder] = []
            var newest = StepNumber.first
            for _ in 0..<200 {
                switch Int.random(in: 0..<5, using: &random) {
                case 0, 1:
                    let tokens = Self.tokens(blockCount: Int.random(in: 1...5, using: &random), &random)
                    if let holder = try Self.begin(tokens, &pool, &plain) { holders.append(holder) }
                case 2:
                    guard let index = holders.indices.randomElement(using: &random) else { continue }
                    Self.seal(&holders[index], &pool, &plain)
                case 3:
                    guard let index = holders.indices.randomElement(using: &random) else { continue }
                    let holder = holders.remove(at: index)
                    let step = random.chance(0.5) ? newest : nil
                    pool.give(holder.blocks, after: step)
                    if let step { plain.waiting.append((step, holder.blocks)) } else { plain.release(holder.blocks) }
                default:
                    pool.stepFinished(newest)
                    plain.stepFinished(newest)
                    newest = newest.next
                }
                let audit = pool.audit
                #expect(audit.cached == plain.unused && Set(audit.free) == plain.free)
                #expect(pool.freeCount == plain.unused.count + plain.free.count)
                let retiring = plain.waiting.flatMap(\.blocks)
                let comingFree = Set(retiring).count { block in
                    retiring.count { $0 == block } == plain.holders[block]
                }
                #expect(pool.retiringCount == comingFree)
            }
        }
    }

    /// Of few texts, so that prefixes meet.
    private static func tokens(blockCount: Int, _ random: inout SeededRandom) -> [TokenID] {
        (0..<blockCount).flatMap { _ in
            let token = TokenID.random(in: 0..<2, using: &random)
            return Array(repeating: token, count: BlockID.positionCount)
        }
    }

    private static func begin(
        _ tokens: [TokenID], _ pool: inout BlockPool, _ plain: inout PlainCache
    ) throws -> Holder? {
        let count = tokens.count / BlockID.positionCount
        var chain = BlockChain(model: "m", salt: "")
        chain.extend(over: tokens, blockCount: count)
        let prefixes = (1...count).map { Array(tokens.prefix($0 * BlockID.positionCount)) }
        let match = pool.match(chain.names[...])
        #expect(match.count == prefixes.prefix { plain.block(of: $0) != nil }.count)
        let shared = pool.share(chain.names.prefix(match.count))
        #expect(shared == prefixes.prefix(match.count).compactMap { plain.block(of: $0) })
        for block in shared { plain.hold(block) }
        guard let own = pool.take(count - match.count) else {
            #expect(plain.free.count + plain.unused.count < count - match.count)
            pool.give(shared, after: nil)
            plain.release(shared)
            return nil
        }
        // Those that were free are handed out first; what is evicted goes in order.
        let ordered = own.filter { plain.free.contains($0) } + plain.unused.filter { own.contains($0) }
        #expect(ordered.count == own.count)
        for block in ordered {
            let isRight = plain.take(block)
            #expect(isRight)
        }
        return Holder(tokens: tokens, chain: chain, blocks: shared + own, sealedCount: match.count)
    }

    private static func seal(_ holder: inout Holder, _ pool: inout BlockPool, _ plain: inout PlainCache) {
        guard holder.sealedCount < holder.blocks.count else { return }
        let index = holder.sealedCount
        let block = holder.blocks[index]
        let prefix = Array(holder.tokens.prefix((index + 1) * BlockID.positionCount))
        if plain.block(of: prefix) == nil { plain.contents[block] = prefix }
        pool.seal(block, as: holder.chain.names[index])
        holder.sealedCount += 1
    }

    // MARK: Names

    @Test func namesTellModelSaltAndEveryTokenBefore() {
        func names(_ tokens: [TokenID], model: String = "m", salt: String = "") -> [BlockChain.Name] {
            var chain = BlockChain(model: model, salt: salt)
            chain.extend(over: tokens, blockCount: tokens.count / BlockID.positionCount)
            return chain.names
        }
        let tokens = (0..<96).map { TokenID($0) }
        var other = tokens
        other[40] += 1
        #expect(names(tokens).count == 3 && Set(names(tokens)).count == 3)
        #expect(zip(names(tokens), names(other)).map { $0 == $1 } == [true, false, false])
        #expect(names(tokens)[0] != names(tokens, model: "n")[0])
        #expect(names(tokens)[0] != names(tokens, salt: "s")[0])
        #expect(names(tokens, model: "m", salt: "ns")[0] != names(tokens, model: "mn", salt: "s")[0])
    }

    // MARK: Requests

    private static func prompt(_ count: Int, salt: TokenID = 0) -> [TokenID] {
        (0..<count).map { (TokenID($0) * 7 + salt) % 97 }
    }

    @Test func aSecondTurnComputesOnlyWhatIsNew() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let first = driver.ask(output: 40) { $0.prompt = Self.prompt(60) }
        driver.finishAllSteps()
        #expect(driver.finish(of: first)?.usage.cachedTokenCount == 0)
        // 60 of the prompt and 39 computed tokens of the output: three blocks are full.
        let second = driver.ask(output: 2) {
            $0.prompt = Self.prompt(60) + Array(repeating: 20, count: 40) + [1, 2, 3]
            $0.sampling.presencePenalty = 1
        }
        let rows = driver.steps[0].sequences[0]
        #expect(rows.firstPosition == 96 && rows.tokens.count == 7)
        #expect(rows.firstBlockIndex == 0 && rows.blocks.count == 4)
        #expect(rows.introduction?.earlierTokens == Self.prompt(60) + Array(repeating: 20, count: 36))
        driver.finishAllSteps()
        #expect(driver.finish(of: second)?.usage.cachedTokenCount == 96)
        #expect(driver.core.topology().pipelines[0].freeBlockCount == 32)
    }

    @Test func oneTokenIsAlwaysComputed() {
        var driver = CoordinatorDriver(nodeCount: 1)
        for expected in [0, 32, 32] {
            let request = driver.ask(output: 1) { $0.prompt = Self.prompt(64) }
            #expect(driver.steps[0].sequences[0].firstPosition == expected)
            driver.finishAllSteps()
            #expect(driver.finish(of: request)?.usage.cachedTokenCount == expected)
        }
    }

    @Test func runningRequestsShareWhatIsSealed() {
        var driver = CoordinatorDriver(nodeCount: 1)
        _ = driver.ask(output: 100) { $0.prompt = Self.prompt(70) }
        // Nothing is sealed before the result is here.
        _ = driver.ask(output: 100) { $0.prompt = Self.prompt(70) }
        driver.finishStep()
        driver.finishStep()
        _ = driver.ask(output: 100) { $0.prompt = Self.prompt(70) }
        let positions = driver.steps.flatMap(\.sequences).filter { $0.introduction != nil }.map(\.firstPosition)
        driver.finishStep()
        let later = driver.steps.flatMap(\.sequences).filter { $0.introduction != nil }.map(\.firstPosition)
        #expect((positions + later).contains(64))
    }

    @Test func whoMustNotShareDoesNot() {
        var driver = CoordinatorDriver(nodeCount: 1)
        _ = driver.ask(output: 1) { $0.prompt = Self.prompt(64) }
        driver.finishAllSteps()
        let changes: [(inout GenerationRequest) -> Void] = [
            { $0.cacheSalt = "other" }, { $0.reusesPrefix = false }, { $0.scoresPrompt = true },
            { $0.prompt[0] += 1 },
        ]
        for change in changes {
            let request = driver.ask(output: 1) {
                $0.prompt = Self.prompt(64)
                change(&$0)
            }
            #expect(driver.steps[0].sequences[0].firstPosition == 0)
            driver.finishAllSteps()
            #expect(driver.finish(of: request)?.usage.cachedTokenCount == 0)
        }
    }
}
