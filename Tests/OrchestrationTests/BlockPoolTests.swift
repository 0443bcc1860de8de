import Orchestration
import Testing
import Vocabulary

@Suite struct BlockPoolTests {
    @Test func givesLowestIdsFirstAndAllOrNone() {
        var pool = BlockPool(blockCount: 4)
        #expect(pool.take(3) == [BlockID(0), BlockID(1), BlockID(2)])
        #expect(pool.take(2) == nil)
        #expect(pool.freeCount == 1)
        #expect(pool.take(1) == [BlockID(3)])
        #expect(pool.take(0) == [])
    }

    @Test func blocksOfAStepInFlightAreNotGivenAgain() throws {
        var pool = BlockPool(blockCount: 3)
        let taken = pool.take(3)
        let blocks = try #require(taken)
        pool.give([blocks[0]], after: StepNumber(7))
        pool.give([blocks[1]], after: StepNumber(5))
        pool.give([blocks[2]], after: nil)
        #expect(pool.freeCount == 1 && pool.retiringCount == 2)
        pool.stepFinished(StepNumber(4))
        #expect(pool.freeCount == 1)
        pool.stepFinished(StepNumber(5))
        #expect(pool.freeCount == 2 && pool.retiringCount == 1)
        #expect(pool.take(3) == nil)
        pool.stepFinished(StepNumber(7))
        #expect(Set(pool.audit.free) == Set(blocks) && pool.freeCount == 3)
    }

    @Test func blocksThatPositionsNeed() {
        #expect([0, 1, 32, 33, 64, 65].map(BlockPool.blockCount(positionCount:)) == [0, 1, 1, 2, 2, 3])
    }
}
