"""What is over, out of order, or somebody else's to say is refused, by real processes over real sockets."""

from __future__ import annotations

import asyncio
import time
import unittest
from collections.abc import Callable

from wirepeer import schema
from wirepeer.credentials import Credentials
from wirepeer.endpoint import Endpoint
from wirepeer.frames import Stamp
from wirepeer.gguf import ModelFile
from wirepeer.links import ACTOR_COORDINATOR, ACTOR_FIRST_STAGE, ACTOR_NODE, Link, RemoteFailure
from wirepeer.node import COORDINATOR, ROLE_COORDINATOR, ROLE_NODE, Figures, Node, figures_for_layers

from .cluster import Cluster, Program, programs

PROMPT = "Hello world"


class _Silent:
    """Takes nothing and answers nothing."""

    def handle(self, link: Link, request: object) -> None:
        raise RemoteFailure("refused", "this end takes nothing")

    def link_lost(self, link: Link, reason: str) -> None: ...


class _Pipeline:
    """A pipeline a, m, z whose middle is this process."""

    def __init__(self, cluster: Cluster, node: Node, last: Program) -> None:
        self.cluster, self.node, self.last = cluster, node, last

    @property
    def pipeline(self) -> int:
        return next(iter(self.node._held), 1)

    @property
    def stamp(self) -> Stamp:
        """Of the step that is due next; of none while no stage is held."""
        held = self.node._held.get(self.pipeline)
        return self.node._next_stamp(held) if held is not None else Stamp()

    @property
    def next_link(self) -> Link:
        link = self.node._held[self.pipeline].next
        assert link is not None
        return link

    async def complete(self) -> tuple[list[str], list[float]]:
        return await asyncio.to_thread(self.cluster.complete, PROMPT)

    async def complete_and_remember(self) -> tuple[tuple[list[str], list[float]], schema.Message, bytes]:
        """The answer, and the last step of it that went to the last stage."""
        sent: list[tuple[schema.Message, bytes]] = []
        link = self.next_link
        tell = link.tell

        def remember(name: str, message: schema.Message, *, actor: int, stamp: Stamp, bulk: bytes = b"") -> None:
            sent.append((message, bulk))
            tell(name, message, actor=actor, stamp=stamp, bulk=bulk)

        link.tell = remember  # type: ignore[method-assign]
        answer = await self.complete()
        link.tell = tell  # type: ignore[method-assign]
        return answer, *sent[-1]

    async def epoch(self) -> int:
        topology = await asyncio.to_thread(self.cluster.wait_until_running)
        return int(topology["pipelines"][0]["epoch"])

    def forward(self, link: Link, stamp: Stamp, message: schema.Message, bulk: bytes) -> None:
        link.tell("Stage.forward", message, actor=ACTOR_FIRST_STAGE + self.pipeline, stamp=stamp, bulk=bulk)


@unittest.skipIf(programs() is None, "set SHARDLINE_BIN to the folder of the built programs")
class StalenessTests(unittest.TestCase):
    def run_pipeline(self, body: Callable[[_Pipeline], object], *names: str) -> None:
        """Runs `body` with the pipeline and credentials of further nodes."""
        with Cluster(3) as cluster:
            cluster.start_node("a")
            last = cluster.start_node("z")
            others = [cluster.enrol(name) for name in names]
            asyncio.run(self._run_pipeline(cluster, cluster.enrol("m"), last, body, others))

    async def _run_pipeline(
        self, cluster: Cluster, credentials: Credentials, last: Program, body: Callable[..., object],
        others: list[Credentials]
    ) -> None:
        node = Node("m", credentials, cluster.model, figures_for_layers(ModelFile(cluster.model), 1, 512))
        await node.endpoint.listen("127.0.0.1", 0)
        work = asyncio.create_task(node.run("127.0.0.1", cluster.port))
        try:
            await asyncio.to_thread(cluster.wait_until_running)
            await body(_Pipeline(cluster, node, last), *others)  # type: ignore[misc]
            for program in (cluster.coordinator, last):
                self.assertIsNone(program.process.poll(), program.text)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await node.leave("done")

    def test_stale_steps_and_results_beside_proper_ones(self) -> None:
        self.run_pipeline(self._stale_beside_proper)

    async def _stale_beside_proper(self, running: _Pipeline) -> None:
        """Before each step copies of it under another term and epoch, and results that nobody computed."""
        expected, epoch = await running.complete(), await running.epoch()
        link, coordinator = running.next_link, running.node._coordinator
        assert coordinator is not None
        tell, count = link.tell, 0

        def tell_more(name: str, message: schema.Message, *, actor: int, stamp: Stamp, bulk: bytes = b"") -> None:
            nonlocal count
            count += 1
            result = schema.wire().StepFinished(pipeline=message.pipeline)
            for rows in message.sequences:
                output = result.outputs.add(sequence=rows.sequence)
                output.sampled.tokens.append(0)
                output.sampled.positions.append(rows.first_position + len(rows.tokens))
            wrong = [
                Stamp(stamp.term - 1, stamp.incarnation, stamp.epoch, stamp.step),
                Stamp(stamp.term, stamp.incarnation, stamp.epoch - 1, stamp.step),
                # Terms are the coordinator's to begin: whoever believed this would obey it no more.
                Stamp(stamp.term + 1000, stamp.incarnation, stamp.epoch, stamp.step),
            ]
            for other in wrong:
                tell(name, message, actor=actor, stamp=other, bulk=bytes(len(bulk)))
                coordinator.tell("Coordinator.stepFinished", result, actor=ACTOR_COORDINATOR, stamp=other)
                coordinator.tell(
                    "Coordinator.stepFailed",
                    schema.wire().StepFailed(pipeline=message.pipeline, reason="stale"), actor=ACTOR_COORDINATOR,
                    stamp=other)
            # Of this epoch, but results are the last stage's to report.
            coordinator.tell("Coordinator.stepFinished", result, actor=ACTOR_COORDINATOR, stamp=stamp)
            tell(name, message, actor=actor, stamp=stamp, bulk=bulk)

        link.tell = tell_more  # type: ignore[method-assign]
        self.assertEqual(await running.complete(), expected)
        self.assertGreater(count, 10)
        link.tell = tell  # type: ignore[method-assign]
        self.assertEqual(await running.complete(), expected)
        self.assertEqual(await running.epoch(), epoch)
        self.assertRegex(running.last.text, r"refused step \d+ of epoch \d+ from m")

    def test_a_step_out_of_order_ends_the_epoch(self) -> None:
        self.run_pipeline(self._out_of_order)

    async def _out_of_order(self, running: _Pipeline) -> None:
        expected, message, bulk = await running.complete_and_remember()
        for distance in (1, -1):
            epoch, stamp = await running.epoch(), running.stamp
            out_of_order = Stamp(stamp.term, stamp.incarnation, stamp.epoch, stamp.step + distance)
            running.forward(running.next_link, out_of_order, message, bulk)
            await self.wait(lambda: running.stamp.epoch > epoch)
            # Nothing was computed from it; the pipeline forms anew.
            self.assertGreater(await running.epoch(), epoch)
            self.assertEqual(await running.complete(), expected)
        self.assertRegex(running.cluster.coordinator.text, r"step \d+ came where step \d+ is due")

    def test_nobody_speaks_for_another(self) -> None:
        self.run_pipeline(self._others_speak, "x")

    async def _others_speak(self, running: _Pipeline, credentials: Credentials) -> None:
        """A good node of this cluster that has no business with this pipeline."""
        (expected, message, bulk), epoch = await running.complete_and_remember(), await running.epoch()
        # Under another's name nobody lets it in.
        port = running.cluster.port
        for name, role in (("m", ROLE_NODE), (COORDINATOR, ROLE_COORDINATOR)):
            liar = Endpoint(name, role, credentials, _Silent())
            address = running.node._held[running.pipeline].assignment.next
            for host_port, other in ((port, COORDINATOR), (address.port, "z")):
                if other == name:
                    continue
                with self.assertRaises(RemoteFailure) as refusal:
                    await liar.connect("127.0.0.1", host_port, other)
                self.assertEqual(refusal.exception.code, "forbidden", f"{name} at {other}")
        # Under its own name it may come, and is not listened to.
        stranger = Node("x", credentials, None, Figures(0, 1.0))
        try:
            coordinator = await stranger.join("127.0.0.1", port)
            last = await stranger.endpoint.connect("127.0.0.1", address.port, "z")
            stamp = running.stamp
            mine = Stamp(stamp.term, stranger.endpoint.incarnation, stamp.epoch, stamp.step)
            running.forward(last, mine, message, bulk)
            running.forward(last, Stamp(stamp.term + 1000, mine.incarnation, stamp.epoch, stamp.step), message, bulk)
            for method, report in (
                ("Coordinator.stepFailed", schema.wire().StepFailed(pipeline=running.pipeline, reason="mine")),
                ("Coordinator.stageFailed", schema.wire().StageFailed(pipeline=running.pipeline, reason="mine")),
                ("Coordinator.stepFinished", schema.wire().StepFinished(pipeline=running.pipeline)),
            ):
                coordinator.tell(method, report, actor=ACTOR_COORDINATOR, stamp=mine)
            with self.assertRaises(RemoteFailure) as refusal:
                await last.call("Node.prepare", schema.wire().PrepareStage(pipeline=running.pipeline),
                                actor=ACTOR_NODE, stamp=Stamp(stamp.term, mine.incarnation, stamp.epoch + 1))
            self.assertIn(refusal.exception.code, ("forbidden", "malformed"))
            await self.wait(lambda: "from x" in running.last.text)
            self.assertEqual(await running.complete(), expected)
            self.assertEqual(await running.epoch(), epoch)
        finally:
            await stranger.leave("done")

    def test_a_coordinator_of_an_older_term_is_not_obeyed(self) -> None:
        """In plain text, where whoever comes under a name is believed to have it."""
        with Cluster(1, is_secure=False) as cluster:
            node = cluster.start_node("z")
            cluster.wait_until_running()
            port = next(status["port"] for status in cluster.topology()["nodes"] if status["name"] == "z")
            # Else the node would be back at the proper one before this one has opened all its lanes.
            cluster.coordinator.stop()
            asyncio.run(self._old_coordinator(port))
            self.assertIsNone(node.process.poll(), node.text)

    async def _old_coordinator(self, port: int) -> None:
        old = Endpoint(COORDINATOR, ROLE_COORDINATOR, None, _Silent())
        link = await old.connect("127.0.0.1", port, "z")
        units = schema.wire().StageUnits(layers_lower=0, layers_upper=1, has_embedding=True, has_head=True)
        with self.assertRaises(RemoteFailure) as refusal:
            await link.call(
                "Node.prepare", schema.wire().PrepareStage(
                    pipeline=1, model="tiny", model_fingerprint="0", units=units, stage_count=1, block_count=1,
                    row_count_max=1),
                actor=ACTOR_NODE, stamp=Stamp(0, old.incarnation, 1))
        self.assertEqual(refusal.exception.code, "stale")
        await old.close("done")

    async def wait(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not happen")
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
