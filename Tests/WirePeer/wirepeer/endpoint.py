"""A process of the cluster as others see it: opens and admits lanes (wire.md, "Handshake")."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from . import schema
from .credentials import Credentials
from .frames import VERSION, Frame, FrameError, Kind
from .identity import NAME, Identity, IdentityError
from .links import Handler, Link, PeerInfo, RemoteFailure
from .stream import FrameStream

HANDSHAKE_SECONDS = 5.0
PROGRAM_VERSION = "0.1.0"
LANE_COUNT = 3


@dataclass
class _Attempt:
    """This end's own try to reach a node."""

    is_welcomed: bool = False
    task: asyncio.Task[Link] | None = None


@dataclass
class _IncompleteSet:
    peer: PeerInfo
    link: int
    lanes: dict[int, FrameStream] = field(default_factory=dict)
    is_complete: asyncio.Event = field(default_factory=asyncio.Event)


class Endpoint:
    """Give it credentials, or None for plain text."""

    def __init__(self, name: str, role: int, credentials: Credentials | None, handler: Handler) -> None:
        self.name = name
        self.role = role
        self.credentials = credentials
        # Drawn at each start; never 0, which says "not stated" in stamps.
        self.incarnation = secrets.randbits(63) + 1
        self.host = ""
        self.port = 0
        self.links: dict[str, Link] = {}
        self.log: Callable[[str], None] = lambda text: None
        self._handler = handler
        self._attempts: dict[str, _Attempt] = {}
        self._incomplete: dict[str, _IncompleteSet] = {}
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        context = self.credentials.context(is_server=True) if self.credentials else None
        self._server = await asyncio.start_server(
            self._admit, host, port, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def close(self, reason: str) -> None:
        if self._server is not None:
            self._server.close()
        for link in list(self.links.values()):
            link.close("shuttingDown", reason)
        # Streams write what is queued and say close_notify on their own.
        await asyncio.sleep(0.05)

    # MARK: Opening

    async def connect(self, host: str, port: int, node: str) -> Link:
        """The link to `node`, which listens there: the one there is, or a new one."""
        if (link := self.links.get(node)) is not None and link.is_open:
            return link
        attempt = self._attempts[node] = _Attempt()
        attempt.task = asyncio.create_task(self._open(host, port, node, attempt))
        try:
            return await attempt.task
        except RemoteFailure as failure:
            if failure.code != "duplicate":
                raise
            return await self._other_attempt(node, failure)
        except asyncio.CancelledError:
            # Given up for the other end's attempt, unless it is the caller who gives up.
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            return await self._other_attempt(node, RemoteFailure("duplicate", "the other attempt goes before"))
        finally:
            if self._attempts.get(node) is attempt:
                del self._attempts[node]

    async def _other_attempt(self, node: str, failure: RemoteFailure) -> Link:
        deadline = asyncio.get_running_loop().time() + HANDSHAKE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if (link := self.links.get(node)) is not None and link.is_open:
                return link
            await asyncio.sleep(0.02)
        raise failure

    async def _open(self, host: str, port: int, node: str, attempt: _Attempt) -> Link:
        number = secrets.randbits(64)
        lanes: list[FrameStream] = []
        try:
            stream, peer = await self._open_lane(host, port, node, 0, number, lanes)
            attempt.is_welcomed = True
            for _, other in await asyncio.gather(
                    *(self._open_lane(host, port, node, lane, number, lanes) for lane in range(1, LANE_COUNT))):
                if other != peer:
                    raise RemoteFailure("wrongPeer", f"lanes of {peer} and of {other}")
            # In the order of their numbers, whichever was opened first.
            return self._connected(peer, [stream] + sorted(lanes[1:], key=lambda lane: lane.number))
        except BaseException:
            for lane in lanes:
                lane.abort()
            raise

    async def _open_lane(
        self, host: str, port: int, node: str, lane: int, number: int, lanes: list[FrameStream]
    ) -> tuple[FrameStream, PeerInfo]:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            context = self.credentials.context(is_server=False) if self.credentials else None
            stream = FrameStream(*await asyncio.open_connection(host, port, ssl=context), number=lane)
            lanes.append(stream)
            identity = self._identity(stream)
            stream.send(Kind.HELLO, schema.wire().Hello(
                version_min=VERSION, version_max=VERSION, program_version=PROGRAM_VERSION, node=self.name,
                incarnation=self.incarnation, role=self.role, lane=lane, listen_port=self.port, host=self.host,
                link=number))
            frame = await stream.read()
        if frame.kind is Kind.REFUSE:
            raise RemoteFailure.parse(frame.control)
        if frame.kind is not Kind.WELCOME:
            raise FrameError(f"{frame.kind.name} came instead of welcome")
        welcome = schema.parse("Welcome", frame.control)
        peer = PeerInfo(welcome.node, welcome.role, welcome.incarnation)
        if welcome.version != VERSION or peer.node != node or not _is_same(identity, peer):
            failure = RemoteFailure("wrongPeer", f"{peer.node} answers at {host}:{port} instead of {node}")
            stream.send(Kind.GOODBYE, failure.encode())
            raise failure
        return stream, peer

    def _identity(self, stream: FrameStream) -> Identity | None:
        if self.credentials is None:
            return None
        assert stream.tls is not None
        return self.credentials.check(stream.tls)

    def _connected(self, peer: PeerInfo, lanes: list[FrameStream]) -> Link:
        link = Link(peer, lanes, self._handler)
        self.links[peer.node] = link
        self.log(f"connected to {peer.node}")
        return link

    # MARK: Admitting

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = FrameStream(reader, writer)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                frame = await stream.read()
            if frame.kind is not Kind.HELLO:
                raise FrameError(f"{frame.kind.name} came instead of hello")
            await self._welcome(stream, frame)
        except RemoteFailure as failure:
            stream.send(Kind.REFUSE, failure.encode())
            stream.close()
        except (FrameError, schema.MalformedMessage, OSError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError):
            stream.close()

    async def _welcome(self, stream: FrameStream, frame: Frame) -> None:
        hello = schema.parse("Hello", frame.control)
        peer = PeerInfo(hello.node, hello.role, hello.incarnation)
        stream.number = hello.lane
        try:
            identity = self._identity(stream)
        except IdentityError as error:
            raise RemoteFailure("forbidden", str(error)) from None
        if not NAME.fullmatch(hello.node) or not 1 <= hello.role <= 3 or hello.lane >= LANE_COUNT:
            raise RemoteFailure("malformed", f"a hello of {hello.node!r}, role {hello.role}, lane {hello.lane}")
        if not _is_same(identity, peer):
            raise RemoteFailure("forbidden", f"{identity} says it is {peer}")
        if not hello.version_min <= VERSION <= hello.version_max:
            raise RemoteFailure(
                "unsupportedVersion", f"versions {hello.version_min} to {hello.version_max}; this end speaks {VERSION}")
        if peer.node == self.name:
            raise RemoteFailure("wrongPeer", f"this end is {self.name} itself")
        if hello.generation:
            # Which ends the pair, as it may: a later connection starts afresh.
            raise RemoteFailure("unexpectedFrame", f"{self.name} makes no lane again")
        if hello.lane != 0:
            waiting = self._incomplete.get(peer.node)
            if waiting is None or (waiting.peer, waiting.link) != (peer, hello.link) or hello.lane in waiting.lanes:
                raise RemoteFailure("unexpectedFrame", f"lane {hello.lane} of no link that waits for it")
            self._send_welcome(stream)
            waiting.lanes[hello.lane] = stream
            if len(waiting.lanes) == LANE_COUNT:
                del self._incomplete[peer.node]
                self._connected(peer, [waiting.lanes[lane] for lane in range(LANE_COUNT)])
                waiting.is_complete.set()
            return
        self._make_room(peer)
        waiting = self._incomplete[peer.node] = _IncompleteSet(peer, hello.link, {0: stream})
        self._send_welcome(stream)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await waiting.is_complete.wait()
        except TimeoutError:
            self._drop(waiting)

    def _make_room(self, peer: PeerInfo) -> None:
        """Decides between two attempts at once, and between an old link and a new one."""
        link = self.links.get(peer.node)
        if link is not None and link.is_open:
            if link.peer.incarnation == peer.incarnation:
                link.ping()
                raise RemoteFailure("duplicate", f"{peer.node} is connected already")
            link.close("shuttingDown", "a new process has this name")
        attempt = self._attempts.get(peer.node)
        if attempt is not None:
            if attempt.is_welcomed or self.name < peer.node:
                raise RemoteFailure("duplicate", "the other attempt goes before")
            if attempt.task is not None:
                attempt.task.cancel()
        if (waiting := self._incomplete.get(peer.node)) is not None:
            self._drop(waiting)

    def _drop(self, waiting: _IncompleteSet) -> None:
        if self._incomplete.get(waiting.peer.node) is waiting:
            del self._incomplete[waiting.peer.node]
            for lane in waiting.lanes.values():
                lane.close()

    def _send_welcome(self, stream: FrameStream) -> None:
        stream.send(Kind.WELCOME, schema.wire().Welcome(
            version=VERSION, node=self.name, incarnation=self.incarnation, role=self.role))


def _is_same(identity: Identity | None, peer: PeerInfo) -> bool:
    return identity is None or (identity.name, identity.role_number) == (peer.node, peer.role)
