"""Links: the three lanes of a pair of processes, with calls, one-way messages and pings (wire.md, "Calls", "Pings")."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from . import schema
from .frames import Frame, FrameError, Kind, Stamp
from .stream import FrameStream

ACTOR_COORDINATOR, ACTOR_ADMIN, ACTOR_NODE, ACTOR_FIRST_STAGE = 1, 2, 3, 4096

# Grants that were not used up.
GRANT_COUNT_MAX = 4096
KEPT_KINDS = frozenset({Kind.ONE_WAY, Kind.GRANT, Kind.LANDED, Kind.REVOKE, Kind.ABANDON})
# An acknowledgement is due with so many messages, or with the next beat.
ACKNOWLEDGED_COUNT = 64

CODES = frozenset("""unsupportedVersion duplicate wrongPeer forbidden unknownMethod unknownObject wrongLane stale
    outOfOrder cancelled refused internal shuttingDown silent malformed unexpectedFrame overloaded timedOut
    wrongLength lost""".split())


class RemoteFailure(Exception):
    """What the other end answered instead of a result, or is to be answered."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code if code in CODES else "internal"
        self.message = message

    def encode(self) -> schema.Message:
        # Longer texts are cut at a character.
        text = self.message.encode()[:2048].decode(errors="ignore")
        return schema.wire().RemoteFailure(code=self.code, message=text)

    @staticmethod
    def parse(control: bytes) -> RemoteFailure:
        message = schema.parse("RemoteFailure", control)
        return RemoteFailure(message.code, message.message)


class LinkLost(Exception):
    """The link ended."""


@dataclass(frozen=True)
class PeerInfo:
    node: str
    role: int
    incarnation: int


@dataclass(frozen=True)
class Request:
    """A call or a one-way message that came."""

    method: schema.Method
    message: schema.Message
    bulk: bytes
    stamp: Stamp
    actor: int


class Handler(Protocol):
    """Who takes what the other ends say. Both must be quick: the lane waits."""

    def handle(self, link: Link, request: Request) -> tuple[schema.Message, Stamp] | None:
        """The result of a call and its stamp; raises `RemoteFailure` to refuse."""

    def link_lost(self, link: Link, reason: str) -> None: ...


class Link:
    def __init__(self, peer: PeerInfo, lanes: list[FrameStream], handler: Handler) -> None:
        self.peer = peer
        self._lanes = lanes
        self._handler = handler
        self._calls: dict[int, tuple[schema.Method, asyncio.Future[tuple[schema.Message, Stamp]]]] = {}
        self._last_call = 0
        self._last_ping = 0
        self._last_grant = 0
        # Of the messages on control that are kept and counted (wire.md, "Kept messages").
        self._kept_sent = 0
        self._kept_acknowledged = 0
        self._kept_received = 0
        self._kept_unacknowledged = 0
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._receive(lane)) for lane in range(len(lanes))]

    @property
    def is_open(self) -> bool:
        return not self.lost.done()

    @property
    def lanes(self) -> tuple[FrameStream, ...]:
        return tuple(self._lanes)

    # MARK: Saying

    async def call(
        self, name: str, message: schema.Message, *, actor: int, stamp: Stamp = Stamp(), timeout: float = 10.0
    ) -> tuple[schema.Message, Stamp]:
        method = schema.methods()[name]
        if not self.is_open:
            raise LinkLost(self.lost.result())
        self._last_call += 1
        number = self._last_call
        future: asyncio.Future[tuple[schema.Message, Stamp]] = asyncio.get_running_loop().create_future()
        self._calls[number] = (method, future)
        lane = self._lanes[method.lane]
        lane.send(Kind.CALL, message, method=method.number, call=number, actor=actor, stamp=stamp)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except (TimeoutError, asyncio.CancelledError):
            lane.send(Kind.CANCEL, call=number)
            raise
        finally:
            self._calls.pop(number, None)

    def tell(
        self, name: str, message: schema.Message, *, actor: int, stamp: Stamp = Stamp(), bulk: bytes = b""
    ) -> None:
        method = schema.methods()[name]
        if method.lane == 0:
            self._kept_sent += 1
        self._lanes[method.lane].send(
            Kind.ONE_WAY, message, bulk, method=method.number, actor=actor, stamp=stamp)

    def ping(self) -> None:
        """On all lanes: any frame shows each of them that this end lives."""
        self._last_ping += 1
        if self._kept_unacknowledged:
            self._acknowledge()
        for lane in self._lanes:
            lane.send(Kind.PING, call=self._last_ping)

    def close(self, code: str, message: str) -> None:
        """Says goodbye."""
        if self.is_open:
            self._lanes[0].send(Kind.GOODBYE, RemoteFailure(code, message).encode())
            self._end(f"this end said goodbye: {message}")

    def silent_for(self, seconds: float) -> bool:
        now = asyncio.get_running_loop().time()
        return any(now - lane.last_read_at > seconds for lane in self._lanes)

    # MARK: Hearing

    async def _receive(self, lane: int) -> None:
        stream = self._lanes[lane]
        try:
            while self.is_open:
                self._take(lane, await stream.read())
        except (asyncio.IncompleteReadError, OSError) as error:
            self._end(f"lane {lane} ended: {error}")
        except FrameError as error:
            self.close("malformed", str(error))
        except RemoteFailure as error:
            self.close(error.code, error.message)
        except asyncio.CancelledError:
            pass

    def _take(self, lane: int, frame: Frame) -> None:
        header = frame.header
        if header.stamp.incarnation not in (0, self.peer.incarnation):
            raise RemoteFailure("stale", f"incarnation {header.stamp.incarnation}")
        if lane == 0 and frame.kind in KEPT_KINDS:
            self._kept_received += 1
            self._kept_unacknowledged += 1
            if self._kept_unacknowledged >= ACKNOWLEDGED_COUNT:
                self._acknowledge()
        match frame.kind:
            case Kind.PING:
                self._lanes[lane].send(Kind.PONG, call=header.call)
            case Kind.PONG | Kind.CANCEL:
                # Calls are answered before the next frame is read: there is nothing left to cancel.
                pass
            case Kind.CALL | Kind.ONE_WAY:
                self._answer(lane, frame)
            case Kind.REPLY | Kind.FAILURE:
                self._settle(lane, frame)
            case Kind.GRANT if lane == 0 and header.call == self._last_grant + 1 <= GRANT_COUNT_MAX and header.actor:
                # No method of this end sends bulk beside its frames: the other end waits in vain, as it may.
                self._last_grant = header.call
            case Kind.ACKNOWLEDGE if lane == 0 and self._kept_acknowledged <= header.call <= self._kept_sent:
                # This end never makes a lane again: it keeps nothing that it would have to send again.
                self._kept_acknowledged = header.call
            case Kind.GOODBYE if lane == 0:
                failure = RemoteFailure.parse(frame.control)
                self._end(f"{self.peer.node} said goodbye: {failure}")
            case _:
                raise RemoteFailure("unexpectedFrame", f"{frame.kind.name} on lane {lane}")

    def _acknowledge(self) -> None:
        self._kept_unacknowledged = 0
        self._lanes[0].send(Kind.ACKNOWLEDGE, call=self._kept_received)

    def _answer(self, lane: int, frame: Frame) -> None:
        header, is_call = frame.header, frame.kind is Kind.CALL
        try:
            method = schema.methods_by_number().get(header.method)
            if method is None:
                raise RemoteFailure("unknownMethod", f"method {header.method}")
            if method.lane != lane or method.is_call != is_call:
                raise RemoteFailure("wrongLane", f"{method.name} on lane {lane}")
            try:
                message = schema.parse(schema.ARGUMENTS[method.name], frame.control)
                if frame.bulk and method.name != "Stage.forward":
                    raise schema.MalformedMessage(f"{method.name} comes without bulk")
            except schema.MalformedMessage as error:
                if not is_call:
                    self.close("malformed", str(error))
                    return
                raise RemoteFailure("malformed", str(error)) from None
            answer = self._handler.handle(
                self, Request(method, message, frame.bulk, header.stamp, header.actor))
        except RemoteFailure as failure:
            if is_call:
                self._lanes[lane].send(Kind.FAILURE, failure.encode(), method=header.method, call=header.call)
            return
        if is_call:
            if answer is None:
                raise AssertionError(f"{method.name} has no answer")
            self._lanes[lane].send(
                Kind.REPLY, answer[0], method=header.method, call=header.call, stamp=answer[1])

    def _settle(self, lane: int, frame: Frame) -> None:
        method, future = self._calls.get(frame.header.call, (None, None))
        if method is None or future is None or future.done():
            return  # Nobody waits for it any more.
        if method.lane != lane or method.number != frame.header.method:
            raise RemoteFailure("unexpectedFrame", f"an answer to {method.name} as one of method {frame.header.method}")
        try:
            if frame.kind is Kind.REPLY:
                future.set_result((schema.parse(schema.RESULTS[method.name], frame.control), frame.header.stamp))
            else:
                future.set_exception(RemoteFailure.parse(frame.control))
        except schema.MalformedMessage as error:
            raise RemoteFailure("malformed", str(error)) from None

    def _end(self, reason: str) -> None:
        if not self.is_open:
            return
        self.lost.set_result(reason)
        for lane in self._lanes:
            lane.close()
        for _, future in self._calls.values():
            if not future.done():
                future.set_exception(LinkLost(reason))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._handler.link_lost(self, reason)
