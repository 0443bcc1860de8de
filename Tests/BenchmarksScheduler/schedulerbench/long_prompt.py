"""Line `long-prompt`: what decoding streams feel of a long prompt, and what it feels of them."""

from __future__ import annotations

import argparse

from .cluster import Cluster, Programs
from .load import run_load
from .verdict import Verdicts, median, progress, spread

STREAMS = 15
PROMPT_TOKENS = 4096


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="measured in turn so often (default: 3)")
    parser.add_argument(
        "--output-tokens", type=int, default=1500, help="of each stream; must outlast the prompt (default: 1500)")
    parser.add_argument("--before", default="5s", metavar="TIME", help="until the long prompt comes (default: 5s)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU", help="of the nodes (default: 0 1)")


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    cpus = options.cpus
    alone: list[float] = []
    beside: list[float] = []
    shares: list[float] = []
    before: list[float] = []
    during: list[float] = []
    with Cluster(programs, [[cpu] for cpu in cpus], cpus) as cluster:
        for index in range(options.rounds):
            progress(f"round {index + 1} of {options.rounds}")
            lone = run_load(
                programs, cluster.url, cpus, "--num-prompts", 1, "--random-input-len", PROMPT_TOKENS,
                "--random-output-len", 1, "--seed", 1000 + index)
            alone.append(lone["median_ttft_ms"])
            load = run_load(
                programs, cluster.url, cpus, "--num-prompts", STREAMS, "--max-concurrency", STREAMS,
                "--random-input-len", 32, "--random-output-len", options.output_tokens, "--ignore-eos", "--seed", index,
                "--inject-prompt", f"{PROMPT_TOKENS}@{options.before}")
            steady, injection = load.phase("steady"), load.phase("injection")
            load.phase("after_injection")  # else the streams did not outlast the prompt
            before.append(steady["p99_itl_ms"])
            during.append(injection["p99_itl_ms"])
            beside.append(load["injections"][0]["ttft_ms"])
            shares.append(1 - injection["output_throughput"] / steady["output_throughput"])
    verdicts.shown("99th percentile between tokens before, ms", spread(before))
    verdicts.shown("while the prompt is processed, ms", spread(during))
    verdicts.at_most("while over before", median([d / b for d, b in zip(during, before)]), 2, "x")
    verdicts.shown("the prompt's first token alone, ms", spread(alone))
    verdicts.shown("beside 15 streams, ms", spread(beside))
    verdicts.shown("the prompt's share of the cores (what decoding lost of its rate)", spread(shares))
    later = [b * share / a for a, b, share in zip(alone, beside, shares)]
    verdicts.at_most("first token over alone at the same share of the cores", median(later), 1.5, "x")
