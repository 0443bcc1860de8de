"""Line `shared-host`: what nodes that share a host's processors lose against one node that has them to itself."""

from __future__ import annotations

import argparse

from .cluster import Cluster, Programs
from .load import run_load, streams
from .verdict import Verdicts, median, progress, spread


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="measured in turn so often (default: 5)")
    parser.add_argument("--nodes", type=int, default=3, help="each with a thread for every processor (default: 3)")
    parser.add_argument("--streams", type=int, default=24, help="at once (default: 24)")
    parser.add_argument("--output-tokens", type=int, default=256, help="of each stream (default: 256)")
    parser.add_argument("--cpus", type=int, nargs="+", default=[0, 1], metavar="CPU", help="of all (default: 0 1)")


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    rates: dict[int, list[float]] = {1: [], options.nodes: []}
    for index in range(options.rounds):
        progress(f"round {index + 1} of {options.rounds}")
        for count in sorted(rates, reverse=index % 2 == 1):
            with Cluster(programs, [options.cpus] * count, options.cpus) as cluster:
                # A first run lets the coordinator measure its stages.
                for seed, tokens in ((1000 + index, options.output_tokens // 4), (index, options.output_tokens)):
                    load = run_load(
                        programs, cluster.url, options.cpus, *streams(options.streams, tokens, seed))
                rates[count].append(load.decode_rate)
    for count, values in rates.items():
        verdicts.shown(f"{count} node{'s' if count > 1 else ''}, tokens/s", spread(values))
    ratios = [many / one for one, many in zip(rates[1], rates[options.nodes])]
    verdicts.at_least(f"{options.nodes} nodes over one, median of pairs", 100 * median(ratios), 85, " %")
