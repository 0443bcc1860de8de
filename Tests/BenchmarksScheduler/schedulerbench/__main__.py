"""The command: see `tools/bench-scheduler --help`."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys

from . import batching, connections, core, long_prompt, peer, scaling, second_turn, shared_host, simulate
from .machine import BenchmarkError
from .verdict import Verdicts

LINES = {
    "scaling": (scaling, "a second node's share in throughput, and how busy both are with kernels"),
    "peer": (peer, "two nodes against llama.cpp's, and against one node with two threads"),
    "long-prompt": (long_prompt, "a long prompt among decoding streams"),
    "second-turn": (second_turn, "the second turn of a chat against the first"),
    "batching": (batching, "continuous against static batching at equal latency"),
    "core": (core, "the coordinator's cost for each token, over real lanes to stages that compute nothing"),
    "shared-host": (shared_host, "several nodes on the same processors against one"),
    "connections": (connections, "leaks under many streams whose clients go away"),
    "simulate": (simulate, "seeds of simulated clusters, and planted bugs"),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/bench-scheduler", description="Measures what the scheduler promises, with whole processes on this "
        "machine; each figure stands beside the limit asked of it. Ends with 1 when a limit was missed, with 2 when "
        "nothing could be measured.")
    lines = parser.add_subparsers(dest="line", required=True, metavar="LINE")
    for name, (module, text) in LINES.items():
        module.add_options(lines.add_parser(name, help=text, description=text))
    options = parser.parse_args()
    # Asked to end, it ends what it has started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    verdicts = Verdicts()
    try:
        LINES[options.line][0].run(options, verdicts)
    except (BenchmarkError, subprocess.SubprocessError, OSError) as error:
        print(f"bench-scheduler: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if verdicts.missed:
        print(f"missed: {'; '.join(verdicts.missed)}")
        return 1
    return 0


sys.exit(main())
