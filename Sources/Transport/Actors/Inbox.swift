import Logging
import Wire

/// All that one peer asks of this process: a mailbox for each actor, and the calls that are not answered yet.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class Inbox: @unchecked Sendable {
    private let peer: Peer
    private let dispatcher: Dispatcher
    private let loop: EventLoop
    private let options: TransportOptions
    private var mailboxes: [UInt64: Mailbox] = [:]
    private var calls: [UInt64: InboundCall] = [:]
    private var isClosed = false
    private var whenIdle: (@Sendable () -> Void)?

    init(peer: Peer, dispatcher: Dispatcher, loop: EventLoop, options: TransportOptions) {
        self.peer = peer
        self.dispatcher = dispatcher
        self.loop = loop
        self.options = options
    }

    /// Checks a call or a one-way message and puts it into its mailbox. Throws when the peer breaks the protocol.
    func take(_ frame: FrameReader.Frame, on lane: LaneConnection) throws {
        guard !isClosed else { return }
        let header = frame.header
        let method: MethodTable.Entry
        switch dispatcher.check(header, on: lane.lane) {
        case .success(let found): method = found
        case .failure(let failure): return try reject(header, failure, on: lane)
        }
        let message: any WireValue
        do {
            message = try method.argumentType.init(
                control: frame.control, stamp: header.stamp, bulk: frame.bulk)
        } catch {
            guard header.kind == .call else {
                throw LaneEnd(kind: .violation, reason: "\(method.name) with a malformed message: \(error)")
            }
            return try reject(
                header, RemoteFailure(code: RemoteFailure.Code.malformed, message: error.message), on: lane)
        }
        let mailbox = mailbox(header.actor)
        var call: InboundCall?
        if header.kind == .call {
            guard calls[header.call] == nil else {
                throw LaneEnd(kind: .violation, reason: "call \(header.call) was sent twice")
            }
            guard !mailbox.isFull else {
                return try reject(
                    header,
                    RemoteFailure(
                        code: RemoteFailure.Code.overloaded, message: "too much waits for object \(header.actor)"),
                    on: lane)
            }
            let entered = InboundCall(number: header.call, method: header.method, lane: lane)
            calls[header.call] = entered
            call = entered
        }
        mailbox.put(
            Mailbox.Delivery(
                method: method, object: header.actor, message: message, lane: lane, call: call,
                byteCount: header.controlByteCount + header.bulkUncompressedByteCount))
    }

    private func reject(_ header: FrameHeader, _ failure: RemoteFailure, on lane: LaneConnection) throws {
        guard header.kind == .call else {
            dispatcher.logger.notice("a message of \(peer.identity.node) is dropped: \(failure)")
            return
        }
        try peer.answer(
            try peer.frame(.failure, failure, method: header.method, call: header.call, on: lane), on: lane)
    }

    private func mailbox(_ object: UInt64) -> Mailbox {
        if let mailbox = mailboxes[object] { return mailbox }
        let mailbox = Mailbox(
            peer: peer, dispatcher: dispatcher, loop: loop, options: options,
            onCallDone: { [weak self] call in self?.finished(call) },
            onIdle: { [weak self] in self?.becameIdle(object) })
        mailboxes[object] = mailbox
        return mailbox
    }

    private func finished(_ call: InboundCall) {
        calls[call.number] = nil
        guard call.isCancelled, call.task == nil, !isClosed, !peer.isLost else { return }
        // It was never begun.
        let failure = RemoteFailure(code: RemoteFailure.Code.cancelled, message: "the call was cancelled")
        if let frame = try? peer.frame(.failure, failure, method: call.method, call: call.number, on: call.lane) {
            call.lane.outbound.placeUrgently(frame)
        }
    }

    private func becameIdle(_ object: UInt64) {
        mailboxes[object] = nil
        guard mailboxes.isEmpty else { return }
        whenIdle?()
        whenIdle = nil
    }

    /// The caller of a call waits no more.
    func cancel(_ call: UInt64) { calls[call]?.cancel() }

    /// Ends the calls, and calls back once the one-way messages are done.
    func finishMessages(whenDone: @escaping @Sendable () -> Void) {
        cancelCalls()
        for mailbox in mailboxes.values { mailbox.removeAll { $0.call != nil } }
        isClosed = true
        if mailboxes.isEmpty { whenDone() } else { whenIdle = whenDone }
    }

    /// Drops all that is not begun.
    func close() {
        isClosed = true
        cancelCalls()
        for mailbox in mailboxes.values { mailbox.removeAll { _ in true } }
        mailboxes = [:]
        whenIdle = nil
    }

    /// Their callers wait no more: their lane is lost.
    func cancelCalls(on lane: Lane) {
        for (number, call) in calls where call.lane.lane == lane {
            call.cancel()
            calls[number] = nil
        }
    }

    private func cancelCalls() {
        for call in calls.values { call.cancel() }
        calls = [:]
    }
}
