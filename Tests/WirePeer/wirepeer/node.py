"""A node: registers with the coordinator, prepares stages, runs steps (wire.md, "A node's life")."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import schema
from .credentials import Credentials
from .endpoint import PROGRAM_VERSION, Endpoint
from .frames import Stamp
from .gguf import ModelError, ModelFile
from .identity import Identity, IdentityError
from .links import ACTOR_COORDINATOR, ACTOR_FIRST_STAGE, ACTOR_NODE, Link, LinkLost, RemoteFailure, Request
from .stage import Stage, StepError

COORDINATOR = "coordinator"
ROLE_COORDINATOR, ROLE_NODE, ROLE_OPERATOR = 1, 2, 3
PING_SECONDS = 1.0
SILENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Figures:
    """What a node says of itself; placement goes by the memory and the speed."""

    memory_limit_bytes: int
    read_bytes_per_second: float


def figures_for_layers(file: ModelFile, count: int, kv_positions: int) -> Figures:
    """Such that a planner gives this node `count` layers without embedding and head, never more.

    Memory for half a layer more than that, a sixteenth of it spare, and so fast that to use it always pays.
    """
    layer = file.byte_count("blk.0.")
    keys = file.metadata
    heads = keys.get("llama.attention.head_count_kv", keys["llama.attention.head_count"])
    head_size = keys.get(
        "llama.attention.key_length", keys["llama.embedding_length"] // keys["llama.attention.head_count"])
    layer += -(-kv_positions // 32) * 32 * 2 * 2 * heads * head_size
    return Figures(layer * count + layer // 2, 1e15)


@dataclass
class _Held:
    assignment: schema.Message
    stamp: Stamp
    stage: Stage | None = None
    next: Link | None = None
    # Why no step of this epoch is run any more.
    ended: str | None = None


class Node:
    def __init__(self, name: str, credentials: Credentials | None, model: Path | None, figures: Figures) -> None:
        self.endpoint = Endpoint(name, ROLE_NODE, credentials, self)
        self.log: Callable[[str], None] = lambda text: None
        self.step_count = 0
        self._file = ModelFile(model) if model is not None else None
        self._figures = figures
        self._coordinator: Link | None = None
        self._term = 0
        self._held: dict[int, _Held] = {}
        self._steps: asyncio.Queue[tuple[_Held, Stamp, schema.Message, bytes]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_ready(self) -> bool:
        return any(held.stage is not None and held.ended is None for held in self._held.values())

    @property
    def layers(self) -> list[range]:
        return [range(held.assignment.units.layers_lower, held.assignment.units.layers_upper)
                for held in self._held.values() if held.ended is None]

    async def join(self, host: str, port: int) -> Link:
        """Connects to the coordinator and registers."""
        link = await self.endpoint.connect(host, port, COORDINATOR)
        wire, endpoint, figures = schema.wire(), self.endpoint, self._figures
        self._coordinator = link
        description = wire.NodeDescription(
            node=endpoint.name, incarnation=endpoint.incarnation, host=endpoint.host, port=endpoint.port,
            process_id=os.getpid(), thread_count=1, core_count=os.cpu_count() or 1, numa_node_count=1,
            instruction_set="numpy", memory_limit_bytes=figures.memory_limit_bytes,
            read_bytes_per_second=figures.read_bytes_per_second,
            # So many that its layers are given out by the speed of reading alone.
            multiply_adds_per_second=64 * figures.read_bytes_per_second, version=PROGRAM_VERSION)
        _, stamp = await link.call(
            "Coordinator.register", wire.RegisterRequest(description=description), actor=ACTOR_COORDINATOR,
            stamp=Stamp(incarnation=endpoint.incarnation))
        self._obey(stamp.term)
        return link

    async def run(self, host: str, port: int) -> None:
        """Stays in the cluster, and comes back when the coordinator was lost, until it is cancelled."""
        worker = asyncio.create_task(self._work())
        try:
            while True:
                try:
                    link = await self.join(host, port)
                except (OSError, RemoteFailure, LinkLost, IdentityError, TimeoutError, EOFError) as error:
                    self.log(f"could not join: {error or type(error).__name__}")
                    await asyncio.sleep(0.5)
                    continue
                self.log(f"joined the cluster as '{self.endpoint.name}' in term {self._term}")
                reason = await self._stay(link)
                self.log(f"the coordinator was lost: {reason}")
        finally:
            worker.cancel()

    async def _stay(self, link: Link) -> str:
        while True:
            done, _ = await asyncio.wait([link.lost], timeout=PING_SECONDS)
            if done:
                return link.lost.result()
            for other in list(self.endpoint.links.values()):
                if not other.is_open:
                    continue
                if other.silent_for(SILENCE_SECONDS):
                    other.close("silent", f"nothing was read for {SILENCE_SECONDS} s")
                else:
                    other.ping()

    async def leave(self, reason: str) -> None:
        if self._coordinator is not None and self._coordinator.is_open:
            self._coordinator.tell(
                "Coordinator.nodeLeaving", schema.wire().NodeLeaving(reason=reason), actor=ACTOR_COORDINATOR,
                stamp=Stamp(term=self._term, incarnation=self.endpoint.incarnation))
        await self.endpoint.close(reason)

    # MARK: Handler

    def handle(self, link: Link, request: Request) -> tuple[schema.Message, Stamp] | None:
        name = request.method.name
        if name == "Stage.forward":
            self._forward(link, request)
            return None
        if request.actor != ACTOR_NODE:
            raise RemoteFailure("unknownObject", f"{name} of object {request.actor}")
        if link.peer.role != ROLE_COORDINATOR:
            raise RemoteFailure("forbidden", f"{name} is the coordinator's to say")
        self._obey(request.stamp.term)
        match name:
            case "Node.prepare":
                self._prepare(request.message, request.stamp)
                return schema.wire().Empty(), Stamp()
            case "Node.release":
                held = self._held.get(request.message.pipeline)
                if held is not None and held.stamp.epoch <= request.stamp.epoch:
                    held.ended = "it was released"
                    del self._held[request.message.pipeline]
            case "Node.certificatesRevoked":
                self._revoked(set(request.message.serials))
            case _:
                raise RemoteFailure("unknownObject", f"{name} is not a node's")
        return None

    def link_lost(self, link: Link, reason: str) -> None:
        for held in self._held.values():
            if held.ended is not None:
                continue
            if link is self._coordinator:
                held.ended = "the coordinator was lost"
            elif link is held.next or link.peer.node == held.assignment.previous:
                self._fail(held, self._next_stamp(held), f"the connection to {link.peer.node} is lost: {reason}")

    def _obey(self, term: int) -> None:
        if term < self._term:
            raise RemoteFailure("stale", f"term {term} is over; term {self._term} is known")
        self._term = term

    def _revoked(self, serials: set[str]) -> None:
        credentials = self.endpoint.credentials
        if credentials is None:
            return
        credentials.revoked = serials
        for other in list(self.endpoint.links.values()):
            tls = other.lanes[0].tls
            if tls is not None and other.is_open and Identity.of_peer(tls.getpeercert()).serial in serials:
                other.close("forbidden", "the certificate is revoked")

    # MARK: Stages

    def _prepare(self, assignment: schema.Message, stamp: Stamp) -> None:
        units = assignment.units
        is_last = assignment.stage_index + 1 == assignment.stage_count
        if not (units.layers_lower < units.layers_upper and assignment.stage_index < assignment.stage_count
                and is_last != assignment.HasField("next")):
            raise RemoteFailure("refused", f"an assignment that contradicts itself: {assignment}")
        if self._file is None:
            raise RemoteFailure("refused", "this peer has no model")
        held = self._held.get(assignment.pipeline)
        if held is not None and held.stamp.term == stamp.term and held.stamp.epoch >= stamp.epoch:
            raise RemoteFailure("stale", f"epoch {stamp.epoch} is over; epoch {held.stamp.epoch} is known")
        if held is not None:
            held.ended = "another epoch is being prepared"
        held = self._held[assignment.pipeline] = _Held(
            assignment, Stamp(stamp.term, self.endpoint.incarnation, stamp.epoch))
        self._start(self._load(held, self._file))

    async def _load(self, held: _Held, file: ModelFile) -> None:
        assignment = held.assignment
        try:
            stage = Stage(file, assignment)
            if assignment.HasField("next"):
                address = assignment.next
                held.next = await self.endpoint.connect(address.host, address.port, address.node)
        except (ModelError, OSError, RemoteFailure, IdentityError, TimeoutError, EOFError) as error:
            if held.ended is None:
                held.ended = str(error)
                self._report("Coordinator.stageFailed", schema.wire().StageFailed(
                    pipeline=assignment.pipeline, reason=f"{error or type(error).__name__}"), held.stamp)
            return
        if held.ended is None:
            held.stage = stage
            units = assignment.units
            self.log(f"holds layers {units.layers_lower} to {units.layers_upper - 1} in epoch {held.stamp.epoch}")
            self._report(
                "Coordinator.stagePrepared", schema.wire().StagePrepared(pipeline=assignment.pipeline), held.stamp)

    # MARK: Steps

    def _forward(self, link: Link, request: Request) -> None:
        message, stamp = request.message, request.stamp
        if link.peer.role != ROLE_COORDINATOR and stamp.term > self._term:
            raise RemoteFailure("forbidden", f"term {stamp.term} is the coordinator's to begin")
        self._obey(stamp.term)
        held = self._held.get(message.pipeline)
        if held is None or request.actor != ACTOR_FIRST_STAGE + message.pipeline:
            raise RemoteFailure("unknownObject", f"no stage of pipeline {message.pipeline}")
        if link.peer.node != (held.assignment.previous or COORDINATOR):
            raise RemoteFailure("forbidden", f"steps are not {link.peer.node}'s to send")
        if (stamp.term, stamp.epoch) != (held.stamp.term, held.stamp.epoch):
            raise RemoteFailure("stale", f"epoch {stamp.epoch}")
        if held.ended is not None or held.stage is None:
            self._fail(held, stamp, held.ended or "the stage is still loading")
        elif stamp.step != held.stage.next_step:
            self._fail(held, stamp, f"step {stamp.step} came where step {held.stage.next_step} is due")
        else:
            held.stage.next_step += 1
            self._steps.put_nowait((held, stamp, message, request.bulk))

    async def _work(self) -> None:
        """One step after another, beside the event loop, so that pings are answered meanwhile."""
        while True:
            held, stamp, message, bulk = await self._steps.get()
            if held.ended is not None or held.stage is None:
                continue
            try:
                result = await asyncio.to_thread(held.stage.run, message, bulk)
            except StepError as error:
                self._fail(held, stamp, str(error))
                continue
            if held.ended is not None:
                continue
            self.step_count += 1
            mine = Stamp(stamp.term, self.endpoint.incarnation, stamp.epoch, stamp.step)
            if not isinstance(result, np.ndarray):
                self._report("Coordinator.stepFinished", result, mine)
            elif held.next is not None:
                held.next.tell(
                    "Stage.forward", message, actor=ACTOR_FIRST_STAGE + message.pipeline, stamp=mine,
                    bulk=np.ascontiguousarray(result, "<f4").tobytes())

    def _next_stamp(self, held: _Held) -> Stamp:
        step = held.stage.next_step if held.stage is not None else 1
        return Stamp(held.stamp.term, held.stamp.incarnation, held.stamp.epoch, step)

    def _fail(self, held: _Held, stamp: Stamp, reason: str) -> None:
        held.ended = reason
        self.log(f"step {stamp.step} of epoch {stamp.epoch} failed: {reason}")
        self._report("Coordinator.stepFailed", schema.wire().StepFailed(
            pipeline=held.assignment.pipeline, reason=reason),
            Stamp(stamp.term, self.endpoint.incarnation, stamp.epoch, stamp.step))

    def _report(self, method: str, message: schema.Message, stamp: Stamp) -> None:
        if self._coordinator is not None and self._coordinator.is_open:
            self._coordinator.tell(method, message, actor=ACTOR_COORDINATOR, stamp=stamp)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
