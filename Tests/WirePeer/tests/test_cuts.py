"""Conversations that are cut off at any byte do no harm: the cluster goes on, and nothing is leaked.

SHARDLINE_CUT_STEP (67) is the distance between the bytes at which encrypted conversations are cut; 1 takes all.
"""

from __future__ import annotations

import asyncio
import os
import time
import unittest
from collections.abc import Iterator

from wirepeer import schema
from wirepeer.credentials import Credentials
from wirepeer.identity import IdentityError
from wirepeer.links import ACTOR_ADMIN, LinkLost, RemoteFailure
from wirepeer.node import COORDINATOR, Figures, Node, figures_for_layers
from wirepeer.gguf import ModelFile
from wirepeer.stream import FrameStream

from .cluster import Cluster, Program, programs
from .relay import Cut, Relay

STEP = int(os.environ.get("SHARDLINE_CUT_STEP", "67"))
# What a cut may show itself as.
FAILURES = (OSError, EOFError, RemoteFailure, LinkLost, IdentityError, TimeoutError)
# Few enough that the coordinator's limit for one address is never reached: these peers are no flood.
PARALLEL = 6


async def converse(port: int, name: str, credentials: Credentials | None) -> None:
    """All that a node says when it comes, asks something, and leaves; without memory no layers are its."""
    node = Node(name, credentials, None, Figures(0, 1.0))
    try:
        link = await node.join("127.0.0.1", port)
        await link.call("Admin.topology", schema.wire().TopologyRequest(), actor=ACTOR_ADMIN)
        link.ping()
        await link.call("Admin.topology", schema.wire().TopologyRequest(), actor=ACTOR_ADMIN)
        node.endpoint.links[COORDINATOR].tell(
            "Coordinator.nodeLeaving", schema.wire().NodeLeaving(reason="done"), actor=1)
        link.close("shuttingDown", "done")
        await asyncio.sleep(0)
    finally:
        for link in node.endpoint.links.values():
            link.close("shuttingDown", "cut")


class Descriptors:
    """How many a program has open, once they have settled."""

    def __init__(self, *programs: Program) -> None:
        self._programs = programs
        self.before = [program.descriptor_count for program in programs]

    def leaked(self, seconds: float = 15) -> list[int]:
        end = time.monotonic() + seconds
        while True:
            more = [now.descriptor_count - before for now, before in zip(self._programs, self.before, strict=True)]
            if all(count <= 0 for count in more) or time.monotonic() > end:
                return more
            time.sleep(0.05)


@unittest.skipIf(programs() is None, "set SHARDLINE_BIN to the folder of the built programs")
class CutTests(unittest.TestCase):
    def cut_everywhere(self, cluster: Cluster, names: list[str], step: int) -> int:
        credentials = {name: cluster.enrol(name) if cluster.is_secure else None for name in names}
        return asyncio.run(self._cut_everywhere(cluster.port, credentials, step))

    async def _cut_everywhere(self, port: int, peers: dict[str, Credentials | None], step: int) -> int:
        async with Relay(port) as relay:
            await converse(relay.port, *next(iter(peers.items())))
            await asyncio.sleep(0.2)
            passed = relay.passed
        self.assertEqual(len(passed), 3)
        cuts = iter([
            # FIN and RST in turns.
            Cut(connection, is_outward, count, is_reset=index % 2 == 1)
            for connection, counts in enumerate(passed)
            for is_outward, total in ((True, counts[0]), (False, counts[1]))
            for index, count in enumerate(range(0, total + step, step))])
        outcomes: list[bool] = []
        await asyncio.gather(*(self._cut_some(port, name, peers[name], cuts, outcomes) for name in peers))
        self.assertIn(False, outcomes)
        # The tails of lanes that say no more than hello can be cut without anybody's notice.
        self.assertLess(outcomes.count(True), len(outcomes) // 2)
        return len(outcomes)

    async def _cut_some(
        self, port: int, name: str, credentials: Credentials | None, cuts: Iterator[Cut], outcomes: list[bool]
    ) -> None:
        for cut in cuts:
            async with Relay(port, cut) as relay:
                try:
                    async with asyncio.timeout(20):
                        await converse(relay.port, name, credentials)
                    outcomes.append(True)
                except FAILURES:
                    outcomes.append(False)

    def connected(self, cluster: Cluster) -> list[str]:
        """Those that stay; one that was cut off is noticed at once, or by its silence."""
        for _ in range(400):
            names = [status["name"] for status in cluster.topology()["nodes"] if status["connected"]]
            if len(names) == 1:
                break
            time.sleep(0.05)
        return names

    def check(self, is_secure: bool, step: int) -> None:
        with Cluster(1, is_secure=is_secure) as cluster:
            node = cluster.start_node("z")
            cluster.wait_until_running()
            expected = cluster.complete("Hello world")
            open_files = Descriptors(cluster.coordinator, node)
            started = time.monotonic()
            count = self.cut_everywhere(cluster, [f"cut-{index}" for index in range(PARALLEL)], step)
            print(f"{count} conversations were cut ({'TLS' if is_secure else 'plain text'}) in "
                  f"{time.monotonic() - started:.1f} s")
            # Later connections work, the cluster answers as before, and every descriptor came back.
            self.assertEqual(cluster.complete("Hello world"), expected)
            self.assertEqual(self.connected(cluster), ["z"])
            self.assertEqual([count for count in open_files.leaked() if count > 0], [])
            for program in (cluster.coordinator, node):
                self.assertIsNone(program.process.poll(), program.text)
            self.assertEqual(len(cluster.topology()["pipelines"]), 1)

    def test_plain_text_at_every_byte(self) -> None:
        self.check(is_secure=False, step=1)

    def test_encrypted(self) -> None:
        self.check(is_secure=True, step=STEP)


class _CutAfter:
    """A tap that lets so many bytes of frames pass, of all lanes in both directions, and ends the lane that has the
    next one."""

    def __init__(self, byte_count: int | None, is_reset: bool) -> None:
        self._left = byte_count
        self.has_cut = False
        self._is_reset = is_reset
        self.passed = 0

    def __call__(self, stream: FrameStream, direction: str, data: bytes) -> int:
        if self._left is None:
            self.passed += len(data)
            return len(data)
        passing = min(self._left, len(data))
        self._left -= passing
        if passing < len(data):
            self._left = None
            self.has_cut = True
            if self._is_reset:
                stream.abort()
        return passing


@unittest.skipIf(programs() is None, "set SHARDLINE_BIN to the folder of the built programs")
class StageCutTests(unittest.TestCase):
    """A node in the middle of a pipeline that loses a lane in the middle of a frame."""

    def test_stages_come_back(self) -> None:
        with Cluster(3) as cluster:
            nodes = [cluster.start_node("a"), cluster.start_node("z")]
            asyncio.run(self._run(cluster, cluster.enrol("m"), nodes))

    async def _run(self, cluster: Cluster, credentials: Credentials, nodes: list[Program]) -> None:
        figures = figures_for_layers(ModelFile(cluster.model), 1, 512)
        node = Node("m", credentials, cluster.model, figures)
        await node.endpoint.listen("127.0.0.1", 0)
        tap = FrameStream.tap = _CutAfter(None, False)
        work = asyncio.create_task(node.run("127.0.0.1", cluster.port))
        try:
            await asyncio.to_thread(cluster.wait_until_running)
            before = tap.passed
            expected = await asyncio.to_thread(cluster.complete, "Hello world")
            total = tap.passed - before
            self.assertGreater(total, 10_000)
            open_files = Descriptors(cluster.coordinator, *nodes)
            # From the first byte of an answer's frames to the last, alternately with FIN and RST.
            failed = 0
            for index, count in enumerate(range(0, total - 1000, total // 8)):
                cut = FrameStream.tap = _CutAfter(count + index * 7, index % 2 == 1)
                try:
                    # Cut before it began, it waited for the pipeline to come back.
                    self.assertEqual(await asyncio.to_thread(cluster.complete, "Hello world"), expected)
                except OSError:
                    failed += 1
                self.assertTrue(cut.has_cut)
                FrameStream.tap = None
                await asyncio.to_thread(cluster.wait_until_running)
                self.assertEqual(await asyncio.to_thread(cluster.complete, "Hello world"), expected)
            self.assertGreater(failed, 4)
            self.assertEqual([count for count in open_files.leaked() if count > 0], [])
            for program in (cluster.coordinator, *nodes):
                self.assertIsNone(program.process.poll(), program.text)
        finally:
            FrameStream.tap = None
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await node.leave("done")


if __name__ == "__main__":
    unittest.main()
