import Vocabulary

/// A binary heap of timers, earliest first, from which any timer can be removed.
struct TimerHeap {
    private var timers: [LoopTimer] = []

    var first: LoopTimer? { timers.first }

    mutating func insert(_ timer: LoopTimer) {
        timers.append(timer)
        timer.position = timers.count - 1
        moveUp(timers.count - 1)
    }

    mutating func remove(_ timer: LoopTimer) {
        let position = timer.position
        guard timers.indices.contains(position), timers[position] === timer else { return }
        timer.position = -1
        let last = timers.removeLast()
        guard last !== timer else { return }
        timers[position] = last
        last.position = position
        moveUp(position)
        moveDown(last.position)
    }

    mutating func removeAll() {
        for timer in timers { timer.position = -1 }
        timers = []
    }

    private mutating func moveUp(_ start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard timers[position].deadline < timers[parent].deadline else { return }
            swap(position, parent)
            position = parent
        }
    }

    private mutating func moveDown(_ start: Int) {
        var position = start
        while true {
            var least = position
            for child in [2 * position + 1, 2 * position + 2] where child < timers.count {
                if timers[child].deadline < timers[least].deadline { least = child }
            }
            guard least != position else { return }
            swap(position, least)
            position = least
        }
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        timers.swapAt(left, right)
        timers[left].position = left
        timers[right].position = right
    }
}
