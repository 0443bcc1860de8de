"""Line `batching`: how much more traffic continuous batching bears than static batches, with equal latencies."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .cluster import Cluster, Programs
from .load import run_load
from .machine import BenchmarkError
from .verdict import Verdicts, number, progress


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace", required=True, metavar="CSV", help="arrivals and lengths, in the form of the Azure LLM traces")
    parser.add_argument("--num-prompts", type=int, default=300, help="the trace's first so many (default: 300)")
    parser.add_argument(
        "--length-scale", type=float, default=0.25, help="of its lengths, for the machine's speed (default: 0.25)")
    parser.add_argument("--static-batch", type=int, default=32, metavar="N", help="of static batches (default: 32)")
    parser.add_argument(
        "--slack", type=float, default=3,
        help="the 99th percentile to keep, in that of requests that come one at a time (default: 3)")
    parser.add_argument("--steps", type=int, default=6, help="of each search (default: 6)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU", help="of the nodes (default: 0 1)")


@dataclass
class Trial:
    """A run of the trace, its moments multiplied by `time_scale`."""

    time_scale: float
    p99: float
    rate: float
    """Requests a second, from the first arrival to the last answer: what the server really did."""
    tokens: float


class Search:
    """The fastest arrivals at which the 99th percentile of the end-to-end latency keeps a limit."""

    def __init__(self, options: argparse.Namespace, measure: Callable[[float], Trial]) -> None:
        self._steps = options.steps
        self._measure = measure

    def fastest(self, limit: float, start: float) -> Trial:
        """Halves or doubles the scale from `start` until the limit lies between two trials, then halves the ratio."""
        good: Trial | None = None
        bad: float | None = None
        scale = start
        for _ in range(self._steps + 4):
            trial = self._measure(scale)
            progress(
                f"  time scale {scale:.4f}: p99 {trial.p99:.2f} s, {trial.rate:.2f} requests/s, "
                f"{trial.tokens:.0f} tokens/s")
            if trial.p99 <= limit:
                good = trial
            else:
                bad = scale
            if good and bad:
                if good.time_scale / bad < 1.06:
                    break
                scale = (good.time_scale * bad) ** 0.5
            else:
                scale = scale / 2 if good else scale * 2
        if not good:
            raise BenchmarkError(
                f"even at time scale {scale:.3f} the 99th percentile is above {limit:.1f} s: raise --slack")
        return good


def trace_flags(options: argparse.Namespace) -> list[object]:
    return ["--trace", options.trace, "--num-prompts", options.num_prompts, "--length-scale", options.length_scale,
            "--ignore-eos"]


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    cpus = options.cpus
    # The same prompts must not be found in the cache of the trial before: each has a seed of its own.
    seeds = itertools.count(1)
    with Cluster(programs, [[cpu] for cpu in cpus], cpus) as cluster:
        progress("requests one at a time")
        lone = run_load(
            programs, cluster.url, cpus, *trace_flags(options), "--request-rate", "inf", "--max-concurrency", 1,
            "--seed", 1_000_000)
        limit = options.slack * lone["p99_e2el_ms"] / 1000
        # As fast as the machine does them one at a time: where to begin.
        start = lone["duration"] / trace_seconds(options)

        def measure(time_scale: float, *flags: object) -> Trial:
            load = run_load(
                programs, cluster.url, cpus, *trace_flags(options), "--time-scale", f"{time_scale:.6f}", "--seed",
                next(seeds), *flags)
            return Trial(
                time_scale, load["p99_e2el_ms"] / 1000, load["request_throughput"], load["output_throughput"])

        progress(f"static batches, 99th percentile of at most {limit:.2f} s")
        static = Search(
            options, lambda scale: measure(scale, "--static-batch", options.static_batch)).fastest(limit, start)
        progress("continuous")
        continuous = Search(options, measure).fastest(limit, static.time_scale / 2)
    verdicts.shown("99th percentile of end-to-end latency alone, s", number(lone["p99_e2el_ms"] / 1000))
    verdicts.shown(
        "the same to be kept by both (end to end from the moment a request was due, because waiting for a batch "
        "counts), s", number(limit))
    for name, trial in ("static", static), ("continuous", continuous):
        verdicts.shown(
            f"{name}: fastest arrivals that keep it", f"{trial.rate:.2f} requests/s, {trial.tokens:.0f} tokens/s, "
            f"p99 {trial.p99:.2f} s, time scale {trial.time_scale:.4f}")
    verdicts.at_least("tokens a second, continuous over static", continuous.tokens / static.tokens, 3, "x")


def trace_seconds(options: argparse.Namespace) -> float:
    """From the first arrival to the last of those used."""
    try:
        with open(options.trace, encoding="utf-8") as file:
            rows = file.read().split("\n")[1:options.num_prompts + 1]
        # Seven digits of a second are one more than Python reads.
        times = [datetime.fromisoformat(row.split(",")[0][:26]) for row in rows if row]
        return max((times[-1] - times[0]).total_seconds(), 1)
    except (OSError, ValueError, IndexError) as error:
        raise BenchmarkError(f"--trace {options.trace}: {error}") from None
