/// An operation cut into tiles that any thread may run, in any order. Holds raw pointers only: no counted references.
package protocol TileJob {
    func runTile(_ index: Int)
}

extension TileJob {
    /// Runs a tile of the job that lies at an address.
    static func runTile(_ index: Int, ofJobAt address: UnsafeRawPointer) {
        address.assumingMemoryBound(to: Self.self).pointee.runTile(index)
    }
}

/// A closure as a job. The closure does not outlive the call that deals it.
struct ClosureJob: TileJob {
    let body: (Int) -> Void
    func runTile(_ index: Int) { body(index) }
}
