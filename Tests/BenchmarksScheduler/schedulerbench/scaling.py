"""Line `scaling`: what a second node of one core adds, and what its core is busy with."""

from __future__ import annotations

import argparse
import time

from .cluster import Cluster, Metrics, Programs
from .load import LoadReport, run_load, streams
from .machine import BenchmarkError, Sampler, Usage
from .profile import KernelShare
from .verdict import Verdicts, median, progress, spread


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="measured in turn so often (default: 3)")
    parser.add_argument("--output-tokens", type=int, default=512, help="of each stream (default: 512)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU", help="of the nodes (default: 0 1)")
    parser.add_argument(
        "--service-cpus", type=int, nargs="+", metavar="CPU",
        help="of coordinator, gateway and load tool (default: they share the nodes')")


class _Busy:
    """Shares of one core, a value a round."""

    def __init__(self) -> None:
        self.compute: list[list[float]] = [[], []]
        self.kernels: list[list[float]] = [[], []]
        self.node: list[list[float]] = [[], []]
        self.service: list[float] = []
        self.load: list[float] = []
        # By the coordinator's own counters, over the whole run.
        self.stages: list[list[float]] = [[], []]
        self.coordinator_microseconds: list[float] = []

    def add_metrics(self, before: Metrics, after: Metrics, seconds: float) -> None:
        for node in range(2):
            names = [name for name in after if name.startswith(f'stage_busy_seconds_total{{node="node-{node + 1}"')]
            self.stages[node].append(sum(after[name] - before.get(name, 0) for name in names) / seconds)
        tokens = after["generation_tokens_total"] - before["generation_tokens_total"]
        busy = after["coordinator_busy_seconds_total"] - before["coordinator_busy_seconds_total"]
        self.coordinator_microseconds.append(1e6 * busy / tokens)


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    one, two = options.cpus
    ones: list[float] = []
    spares: list[float] = []
    twos: list[float] = []
    busy = _Busy()
    for index in range(options.rounds):
        progress(f"round {index + 1} of {options.rounds}")
        service = options.service_cpus
        with Cluster(programs, [[one]], service or [one]) as cluster:
            load = run_load(programs, cluster.url, service or [one], *streams(16, options.output_tokens, index))
            ones.append(load.decode_rate)
        if not service:
            with Cluster(programs, [[one]], [two]) as cluster:
                load = run_load(programs, cluster.url, [two], *streams(16, options.output_tokens, index))
                spares.append(load.decode_rate)
        with Cluster(programs, [[one], [two]], service or [one, two]) as cluster:
            twos.append(_two_nodes(programs, cluster, service or [one, two], options, index, busy).decode_rate)
    verdicts.shown("one node, 16 streams, tokens/s", spread(ones))
    verdicts.shown("two nodes, 32 streams, tokens/s", spread(twos))
    verdicts.at_least("decode, two nodes over one", median(twos) / median(ones), 1.8, "x")
    if spares:
        verdicts.shown(
            "the same over one node that has its core alone, coordinator and load tool on the other one",
            f"{median(twos) / median(spares):.3g}x of {spread(spares)}")
    _show(busy, verdicts)


def _two_nodes(
    programs: Programs, cluster: Cluster, cpus: list[int], options: argparse.Namespace, index: int, busy: _Busy
) -> LoadReport:
    # A first run lets the coordinator measure its stages; the second is looked at from outside by perf, which costs
    # some time itself; the third is measured.
    run_load(programs, cluster.url, cpus, *streams(32, options.output_tokens // 4, 1000 + index))
    profiles = [KernelShare(pid) for pid in cluster.nodes]
    with profiles[0], profiles[1]:
        run_load(programs, cluster.url, cpus, *streams(32, options.output_tokens // 2, 2000 + index))
    with Sampler() as sampler:
        for pid in [*cluster.nodes, cluster.process.pid]:
            sampler.watch(pid)
        before = cluster.metrics()
        load = run_load(programs, cluster.url, cpus, *streams(32, options.output_tokens, index), sampler=sampler)
        busy.add_metrics(before, cluster.metrics(), load["duration"])
        time.sleep(2 * Sampler.interval_seconds)
        start, end = load.window("steady")
        for node, pid in enumerate(cluster.nodes):
            usage = sampler.usage(pid, start, end)
            compute = _compute(usage)
            busy.compute[node].append(compute)
            busy.node[node].append(usage.process - compute)
            if (share := profiles[node].share()) is not None:
                busy.kernels[node].append(compute * share)
        busy.service.append(sampler.usage(cluster.process.pid, start, end).process)
        busy.load.append(sampler.usage(load["load_pid"], start, end).process)
    return load


def _compute(usage: Usage) -> float:
    """Of the thread that runs kernels. A node of one thread waits for no other, so nothing of this is spinning."""
    seconds = sum(share for name, share in usage.by_thread_name.items() if name.startswith("compute"))
    if not seconds:
        raise BenchmarkError(f"no thread is called 'compute' among {', '.join(usage.by_thread_name)}")
    return seconds


def _show(busy: _Busy, verdicts: Verdicts) -> None:
    others = (median(busy.service) + median(busy.load)) / 2
    for node in range(2):
        name = f"node {node + 1}"
        verdicts.shown(f"{name}, processor time of the compute thread", percent(median(busy.compute[node])))
        verdicts.shown(f"{name}, of its other threads (lanes, TLS)", percent(median(busy.node[node])))
        verdicts.shown(f"{name}, computing a step by the coordinator's metrics", percent(median(busy.stages[node])))
        if not busy.kernels[node]:
            verdicts.shown(f"{name}, inside kernels", "not known: perf is missing (apt-get install linux-perf)")
            figure = median(busy.compute[node])
        else:
            figure = median(busy.kernels[node])
        verdicts.at_least(f"{name}, time inside kernels", 100 * figure, 90, " %")
        verdicts.shown(
            f"{name}, inside kernels of what coordinator and load tool leave it", percent(figure / (1 - others)))
    kernels = sum(median(part or whole) for part, whole in zip(busy.kernels, busy.compute))
    everything = sum(map(median, [*busy.compute, *busy.node, busy.service, busy.load]))
    verdicts.shown("kernels' part of all processor time that all processes took", percent(kernels / everything))
    verdicts.shown("coordinator and gateway, of one core", percent(median(busy.service)))
    verdicts.shown(
        "coordinator's decisions and sending, by its metrics",
        f"{median(busy.coordinator_microseconds):.3g} us a token")
    verdicts.shown("load tool, of one core", percent(median(busy.load)))


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"
