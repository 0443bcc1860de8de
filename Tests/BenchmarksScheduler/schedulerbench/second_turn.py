"""Line `second-turn`: what a chat's second turn gains from the first one's keys and values."""

from __future__ import annotations

import argparse

from .cluster import Cluster, Programs
from .load import run_load
from .verdict import Verdicts


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chats", type=int, default=10, help="one after another (default: 10)")
    parser.add_argument("--input-tokens", type=int, default=2000, help="of the first turn (default: 2000)")
    parser.add_argument("--turn-tokens", type=int, default=20, help="of the second turn (default: 20)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU", help="of the nodes (default: 0 1)")


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    with Cluster(programs, [[cpu] for cpu in options.cpus], options.cpus) as cluster:
        load = run_load(
            programs, cluster.url, options.cpus, "--endpoint", "chat", "--turns", 2, "--num-prompts", options.chats,
            "--max-concurrency", 1, "--random-input-len", options.input_tokens, "--turn-input-len", options.turn_tokens,
            "--random-output-len", 32, "--ignore-eos")
    cold, warm = (turn["median_ttft_ms"] for turn in load["turns"])
    verdicts.shown("first token of the first turn (cold), median ms", f"{cold:.1f}")
    verdicts.shown("first token of the second turn, median ms", f"{warm:.1f}")
    verdicts.shown("prompt tokens, and those of them found in the cache",
                   f"{load['total_input_tokens']}, {load['total_cached_input_tokens']}")
    verdicts.at_most("second turn over cold", 100 * warm / cold, 10, " %")
