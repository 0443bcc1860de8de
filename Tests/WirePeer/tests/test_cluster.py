"""tools/wirepeer in clusters of real processes: enrols, joins over TLS, asks, computes."""

from __future__ import annotations

import json
import signal
import unittest

from .cluster import Cluster, Program, programs

PROMPTS = ("Hello world", "The quick brown fox jumps over the lazy dog. " * 3, "x")
# Two implementations of the same arithmetic in float32 differ in the order of sums.
LOGPROB_TOLERANCE = 1e-3
# What is closer than this to the next best token may go either way.
TIE = 1e-2

Answer = tuple[list[list[int]], list[float], list[float]]


def answers(cluster: Cluster) -> list[Answer]:
    """For each prompt: the bytes of the likeliest tokens, their log-probabilities, and by how much each leads."""
    result = []
    for prompt in PROMPTS:
        body = {"model": "tiny", "prompt": prompt, "max_tokens": 32, "temperature": 0, "logprobs": 2}
        content = cluster.post("/v1/completions", body)["choices"][0]["logprobs"]["content"]
        leads = [token["top_logprobs"][0]["logprob"] - token["top_logprobs"][1]["logprob"] for token in content]
        result.append(([token["bytes"] for token in content], [token["logprob"] for token in content], leads))
    return result


def stages(cluster: Cluster) -> list[tuple[str, int, int]]:
    return [
        (stage["node"], stage["firstLayer"], stage["lastLayer"])
        for stage in cluster.topology()["pipelines"][0]["stages"]]


def start_stage(cluster: Cluster, name: str, *arguments: str) -> Program:
    if cluster.is_secure:
        cluster.enrol(name)
    security = ["--credentials", f"{name}-peer"] if cluster.is_secure else ["--insecure", name]
    # The tiny model's context is 512 positions.
    peer = cluster.peer(name, "stage", "--coordinator", cluster.address, *security, "--model", str(cluster.model),
                        "--kv-positions", "512", *arguments)
    peer.wait_for("joined the cluster as")
    return peer


@unittest.skipIf(programs() is None, "set SHARDLINE_BIN to the folder of the built programs")
class ClusterTests(unittest.TestCase):
    expected: dict[bool, list[Answer]] = {}

    def expect_same_answers(self, cluster: Cluster, half: bool = False) -> None:
        """The tokens of a cluster of Swift nodes alone, up to where two are nearly as likely."""
        if half not in self.expected:
            with Cluster(2, half=half) as other:
                other.start_node("a")
                other.start_node("z")
                other.wait_until_running()
                self.expected[half] = answers(other)
        compared = 0
        for got, expected in zip(answers(cluster), self.expected[half], strict=True):
            for token, logprob, expected_token, expected_logprob, lead in zip(
                    got[0], got[1], expected[0], expected[1], expected[2], strict=False):
                if token != expected_token:
                    self.assertLess(lead, TIE, "another token where one is clearly the likeliest")
                    break
                self.assertAlmostEqual(logprob, expected_logprob, delta=LOGPROB_TOLERANCE)
                compared += 1
        self.assertGreater(compared, 48)

    def test_one_layer_in_the_middle(self) -> None:
        with Cluster(3) as cluster:
            cluster.start_node("a")
            cluster.start_node("z")
            peer = start_stage(cluster, "m")
            cluster.wait_until_running()
            # One layer, in the middle; how the others share the rest follows from the speeds that they measured.
            (_, first, before), (_, own, own_last), (_, after, last) = stages(cluster)
            self.assertEqual([name for name, _, _ in stages(cluster)], ["a", "m", "z"])
            self.assertEqual((first, before + 1, own, after, last), (0, own, own_last, own + 1, 4))
            self.expect_same_answers(cluster)
            # It leaves as it should, and comes back.
            peer.process.send_signal(signal.SIGTERM)
            self.assertEqual(peer.process.wait(10), 0)
            self.assertRegex(peer.text, r"ran [1-9]\d+ steps")
            self.observe(cluster)

    def observe(self, cluster: Cluster) -> None:
        cluster.command("operator", "create", "olga", "--out", "olga.pem", "--data-directory", "data")
        watch = cluster.peer("watch", "observe", "--coordinator", cluster.address, "--credentials", "olga.pem",
                             "--interval", "0.1")
        watch.wait_for("node m is not connected")
        watch.wait_for("node a is connected")
        again = start_again(cluster, "m")
        watch.wait_for("node m is connected")
        watch.wait_for(r"pipeline 1 of tiny: running, epoch \d+: a 0-1, m 2-2, z 3-4")
        self.assertTrue(again.text)
        # One operator's name is one process's at a time.
        watch.process.send_signal(signal.SIGINT)
        watch.process.wait(10)
        topology = cluster.peer("topology", "topology", "--coordinator", cluster.address, "--credentials", "olga.pem")
        self.assertEqual(topology.process.wait(10), 0, topology.text)
        shown = json.loads(topology.text)
        self.assertEqual([status["description"]["node"] for status in shown["nodes"]], ["a", "m", "z"])
        self.assertEqual([stage["node"] for stage in shown["pipelines"][0]["stages"]], ["a", "m", "z"])

    def test_embedding_and_head(self) -> None:
        """The first and the last stage, in plain text, from F16 weights."""
        with Cluster(3, is_secure=False, half=True) as cluster:
            cluster.start_node("m")
            for name in ("a", "z"):
                # Room for two layers and the embedding or the head; so fast that it is used.
                start_stage(cluster, name, "--memory", str(600_000))
            cluster.wait_until_running()
            placed = stages(cluster)
            self.assertEqual([node for node, _, _ in placed], ["a", "m", "z"], placed)
            self.expect_same_answers(cluster, half=True)

    def test_what_it_cannot_do_is_said(self) -> None:
        """A last stage of this peer takes the likeliest token; the request that asks for more fails alone."""
        with Cluster(1) as cluster:
            start_stage(cluster, "only", "--memory", "100000000")
            cluster.wait_until_running()
            self.expect_same_answers(cluster)
            with self.assertRaises(OSError):
                cluster.post("/v1/completions", {"model": "tiny", "prompt": "x", "max_tokens": 2, "temperature": 1})
            cluster.wait_until_running()
            self.expect_same_answers(cluster)


@unittest.skipIf(programs() is None, "set SHARDLINE_BIN to the folder of the built programs")
class EnrolmentTests(unittest.TestCase):
    def test_enrolment(self) -> None:
        with Cluster(3) as cluster:
            credentials = cluster.enrol("m")
            self.assertEqual((credentials.identity.role, credentials.identity.name), ("node", "m"))
            self.assertEqual((cluster.folder / "m-peer/key.pem").stat().st_mode & 0o777, 0o600)
            ask = ("topology", "--coordinator", cluster.address, "--credentials", "m-peer")
            self.assertEqual(cluster.peer("ask", *ask).process.wait(20), 0)

            def refused(token: str, words: str, name: str = "n") -> None:
                (cluster.folder / "token").write_text(token)
                peer = cluster.peer("enrol", "enrol", "--coordinator", cluster.address, "--token-file", "token",
                                    "--name", name, "--out", "new")
                self.assertEqual(peer.process.wait(20), 1)
                self.assertIn(words, peer.text)
                self.assertFalse((cluster.folder / "new").exists())

            token = cluster.token("--node", "other")
            refused(token, "forbidden")
            # Used once, by the first enrolment.
            refused((cluster.folder / "m.token").read_text(), "forbidden", name="m")
            refused(token.replace(token.split(".")[2], "0" * 40), "forbidden")
            refused("sl2.x", "no join token")
            # Nothing is said to another authority.
            with Cluster(3) as stranger:
                refused(stranger.token(), "nothing was sent to it")

            # Revoked, it is shown the door.
            cluster.command("certificate", "revoke", "m", "--data-directory", "data")
            for _ in range(50):
                peer = cluster.peer("ask", *ask)
                if peer.process.wait(20) == 1:
                    break
            self.assertIn("forbidden", peer.text)


def start_again(cluster: Cluster, name: str) -> Program:
    peer = cluster.peer(name, "stage", "--coordinator", cluster.address, "--credentials", f"{name}-peer", "--model",
                        str(cluster.model), "--kv-positions", "512")
    peer.wait_for("joined the cluster as")
    return peer


if __name__ == "__main__":
    unittest.main()
