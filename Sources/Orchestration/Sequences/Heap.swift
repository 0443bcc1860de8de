/// A binary heap: the element that is before all others comes first.
struct Heap<Element: Sendable>: Sendable {
    private(set) var elements: [Element] = []
    private let isBefore: @Sendable (Element, Element) -> Bool

    init(_ isBefore: @escaping @Sendable (Element, Element) -> Bool) { self.isBefore = isBefore }

    var count: Int { elements.count }
    var first: Element? { elements.first }

    mutating func insert(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0, isBefore(elements[child], elements[(child - 1) / 2]) {
            elements.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        guard !elements.isEmpty else { return }
        elements.swapAt(0, elements.count - 1)
        elements.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < elements.count {
                if isBefore(elements[child], elements[least]) { least = child }
            }
            if least == parent { return }
            elements.swapAt(parent, least)
            parent = least
        }
    }

    mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        let kept = elements.filter { !isUnwanted($0) }
        elements = []
        for element in kept { insert(element) }
    }
}
