"""Line `simulate`: seeds that must pass, and planted bugs that must be found."""

from __future__ import annotations

import argparse
import re
import subprocess
import time

from .cluster import Programs
from .machine import BenchmarkError
from .verdict import Verdicts

PLANTED = ["block-freed-twice", "token-emitted-twice", "sequence-forgotten-at-preemption"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=10_000, help="that must pass, from 1 on (default: 10000)")
    parser.add_argument("--bug-seeds", type=int, default=1000, help="within which a bug is found (default: 1000)")


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    program = Programs().path("shardline-simulate")
    start = time.monotonic()
    status, text = _simulate(program, 1, options.seeds)
    verdicts.shown("courses", f"{text.splitlines()[-1]}, {time.monotonic() - start:.0f} s")
    verdicts.at_most(f"seeds of {options.seeds} that fail", len(_failed_seeds(text)), 0)
    if status == 1:
        print(text)
    for bug in PLANTED:
        first, least = 1, None
        # In portions: most bugs are found by the first seeds, and nobody needs all the others.
        while first <= options.bug_seeds and least is None:
            last = min(first + 49, options.bug_seeds)
            _, text = _simulate(program, first, last, "--planted-bug", bug)
            least = min(_failed_seeds(text), default=None)
            first = last + 1
        verdicts.at_most(f"first seed that finds {bug}", least if least else float("inf"), options.bug_seeds)


def _simulate(program: str, first: int, last: int, *flags: str) -> tuple[int, str]:
    result = subprocess.run(
        [program, "--seeds", f"{first}..{last}", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=7200,
        check=False)
    if result.returncode not in (0, 1):
        raise BenchmarkError(f"{program} ended with {result.returncode}: {result.stderr.decode(errors='replace')}")
    return result.returncode, result.stdout.decode()


def _failed_seeds(text: str) -> set[int]:
    return {int(seed) for seed in re.findall(r"^seed (\d+) ", text, re.MULTILINE)}
