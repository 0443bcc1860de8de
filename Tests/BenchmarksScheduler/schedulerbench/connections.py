"""Line `connections`: whether anything leaks under many streams whose clients go away as they like."""

from __future__ import annotations

import argparse
import threading
import time

from .cluster import Cluster, Programs
from .load import run_load, streams
from .machine import descriptor_count, resident_bytes
from .verdict import Verdicts, median, progress

MIB = 1 << 20
PROMPT_TOKENS = 32


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--connections", type=int, default=1000, help="at once (default: 1000)")
    parser.add_argument("--disconnect", type=float, default=0.3, help="share of clients that go away (default: 0.3)")
    parser.add_argument("--output-tokens", type=int, default=64, help="of each answer (default: 64)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU", help="of the nodes (default: 0 1)")


class _Watch:
    """Memory and descriptors of processes, every two seconds."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self.samples: list[tuple[float, dict[str, int]]] = []
        self.descriptors_most = dict.fromkeys(pids, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(2):
            self.samples.append((time.monotonic(), {name: resident_bytes(pid) for name, pid in self._pids.items()}))
            for name, pid in self._pids.items():
                self.descriptors_most[name] = max(self.descriptors_most[name], descriptor_count(pid))

    def resident(self, name: str, start: float, end: float) -> float:
        """The median between two shares of the time that was watched."""
        first, last = self.samples[0][0], self.samples[-1][0]
        inside = [
            sample[name] for at, sample in self.samples
            if first + start * (last - first) <= at <= first + end * (last - first)]
        return median([float(value) for value in inside])


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    cpus = options.cpus
    # Blocks for all of them at once and a few more, so that the pool is touched as a whole while warming up.
    blocks = options.connections * ((PROMPT_TOKENS + options.output_tokens + 31) // 32) + 64
    with Cluster(
        programs, [[cpu] for cpu in cpus], cpus, "--max-num-seqs", str(options.connections), "--step-rows",
        str(max(64, options.connections)), "--kv-cache-tokens", str(32 * blocks), open_files=1024
    ) as cluster:
        pids = {"coordinator": cluster.process.pid}
        for index, pid in enumerate(cluster.nodes):
            pids[f"node {index + 1}"] = pid
        # What stays is there before the count: connections between nodes, and the pages of the KV pool, which a node
        # gets when it first writes them.
        progress("warming up")
        for index in range(2):
            run_load(
                programs, cluster.url, cpus, *streams(options.connections, options.output_tokens, 1 + index,
                                                      PROMPT_TOKENS))
        time.sleep(3)
        base = {name: descriptor_count(pid) for name, pid in pids.items()}
        progress(f"{options.connections} connections for {options.minutes:g} minutes")
        with _Watch(pids) as watch:
            load = run_load(
                programs, cluster.url, cpus, "--max-concurrency", options.connections, "--duration",
                f"{options.minutes * 60:.0f}s", "--disconnect", options.disconnect, "--random-input-len", PROMPT_TOKENS,
                "--random-output-len", options.output_tokens, "--ignore-eos", allows_failures=True,
                seconds_max=options.minutes * 60 + 900)
        metrics = _settled(cluster)
        verdicts.shown("requests", f"{load['completed']} completed, {load['disconnected']} disconnected, most at once "
                       f"{load['max_concurrent_requests']}")
        verdicts.at_most("errors that were not asked for", load["failed"], 0)
        if load["failed"]:
            verdicts.shown("errors", str(load["errors"])[:1000])
        verdicts.at_most("KV blocks in use at the end", metrics["kv_cache_usage_perc"] * 100, 0, " %")
        verdicts.at_most("requests running at the end", metrics["num_requests_running"], 0)
        verdicts.at_most("requests waiting at the end", metrics["num_requests_waiting"], 0)
        for name, pid in pids.items():
            _judge_process(name, pid, base[name], watch, verdicts)


def _settled(cluster: Cluster) -> dict[str, float]:
    """Metrics once nothing is in use, or after 20 seconds as they are."""
    end = time.monotonic() + 20
    while True:
        time.sleep(1)
        metrics = cluster.metrics()
        if metrics["num_requests_running"] + metrics["kv_cache_usage_perc"] == 0 or time.monotonic() > end:
            return metrics


def _judge_process(name: str, pid: int, base: int, watch: _Watch, verdicts: Verdicts) -> None:
    verdicts.shown(f"{name}, descriptors before, at most, now",
                   f"{base}, {watch.descriptors_most[name]}, {descriptor_count(pid)}")
    # The question for the metrics is a connection, too, and may not be closed yet.
    slack = 1 if name == "coordinator" else 0
    verdicts.at_most(f"{name}, descriptors more than before", descriptor_count(pid) - base - slack, 0)
    early, late = watch.resident(name, 0.2, 0.4), watch.resident(name, 0.8, 1)
    verdicts.shown(f"{name}, resident after warm-up and at the end, MiB", f"{early / MIB:.1f}, {late / MIB:.1f}")
    # What a heap gives and takes from minute to minute is a few percent of it.
    verdicts.at_most(f"{name}, growth after warm-up", (late - early) / MIB, 4 + 0.05 * early / MIB, " MiB")
