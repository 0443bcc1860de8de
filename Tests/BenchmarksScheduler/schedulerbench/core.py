"""Line `core`: the whole coordinator over real lanes to stages that compute nothing."""

from __future__ import annotations

import argparse
import json
import subprocess

from .cluster import Programs, pinned
from .machine import BenchmarkError
from .verdict import Verdicts


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--running", type=int, nargs="+", default=[10, 32, 100, 320, 1000], metavar="N",
                        help="running sequences (default: 10 32 100 320 1000)")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement (default: 8)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU",
                        help="of the coordinator and of the stages (default: 0 1)")
    parser.add_argument("--insecure", action="store_true", help="plain text on the lanes")


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    command = [Programs().path("shardline-bench-core"), "lanes", "--json", "--seconds", str(options.seconds),
               "--stages-cpu", str(options.cpus[1])]
    for count in options.running:
        command += ["--running", str(count)]
    if options.insecure:
        command.append("--insecure")
    result = subprocess.run(
        pinned(options.cpus[:1], command), stdout=subprocess.PIPE, timeout=60 + 60 * len(options.running) +
        2 * options.seconds * len(options.running), check=False)
    if result.returncode:
        raise BenchmarkError(f"{' '.join(command)} ended with {result.returncode}")
    rows = {int(row["running"]): row for row in map(json.loads, result.stdout.decode().splitlines())}
    cost = {}
    for running, row in rows.items():
        cost[running] = row["loop_cpu_seconds"] / row["tokens"] * 1e6
        verdicts.shown(
            f"{running} running", f"{cost[running]:.2f} us a token on the coordinator's thread, "
            f"{row['process_cpu_seconds'] / row['tokens'] * 1e6:.2f} with those who read the streams; "
            f"{row['requests'] / row['loop_cpu_seconds']:,.0f} requests a second of that thread, "
            f"{row['requests'] / row['seconds']:,.0f} in fact, with those who read on the same core")
    least, most = min(rows), max(rows)
    verdicts.at_least(
        f"requests of 32 tokens a second of the coordinator's core, {most} running",
        rows[most]["requests"] / rows[most]["loop_cpu_seconds"], 2000)
    verdicts.at_most(f"cost of a token, {most} running over {least}", cost[most] / cost[least], 2, "x")
