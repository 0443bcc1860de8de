"""Line `peer`: two nodes against llama.cpp over two RPC servers, and against one node with two threads."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from .cluster import Cluster, Programs, pinned, stop_process
from .load import run_load, streams
from .machine import BenchmarkError
from .verdict import Verdicts, median, progress, spread

STREAMS = 16


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="measured in turn so often (default: 3)")
    parser.add_argument("--output-tokens", type=int, default=256, help="of each stream (default: 256)")
    parser.add_argument("--cpus", type=int, nargs=2, default=[0, 1], metavar="CPU", help="of the nodes (default: 0 1)")
    parser.add_argument(
        "--llama-bin", metavar="FOLDER",
        help="with llama-server and rpc-server or ggml-rpc-server; left out, llama.cpp is not measured")
    parser.add_argument("--llama-port", type=int, default=18_300, help="the first of three ports (default: 18300)")


def run(options: argparse.Namespace, verdicts: Verdicts) -> None:
    programs = Programs()
    one, two = options.cpus
    llama: list[float] = []
    nodes: list[float] = []
    threads: list[float] = []
    for index in range(options.rounds):
        progress(f"round {index + 1} of {options.rounds}")
        asked = streams(STREAMS, options.output_tokens, index)
        if options.llama_bin:
            with LlamaServers(programs, options) as peer:
                run_load(programs, peer.url, [one, two], *streams(STREAMS, 8, 1000 + index))
                llama.append(run_load(programs, peer.url, [one, two], *asked).decode_rate)
        for node_cpus, rates in ([[one], [two]], nodes), ([[one, two]], threads):
            with Cluster(programs, node_cpus, [one, two]) as cluster:
                run_load(programs, cluster.url, [one, two], *streams(STREAMS, 64, 1000 + index))
                rates.append(run_load(programs, cluster.url, [one, two], *asked).decode_rate)
    verdicts.shown("two nodes, 16 streams, tokens/s", spread(nodes))
    verdicts.shown("one node with two threads, tokens/s", spread(threads))
    if llama:
        verdicts.shown("llama.cpp over two RPC servers, tokens/s", spread(llama))
        verdicts.at_least("two nodes over llama.cpp's two", median(nodes) / median(llama), 5, "x")
    else:
        verdicts.shown("llama.cpp", "not measured, give --llama-bin")
    verdicts.at_least("two nodes over one with two threads", 100 * median(nodes) / median(threads), 90, " %")


class LlamaServers:
    """llama-server over an RPC server on each of two CPUs."""

    start_seconds_max = 180

    def __init__(self, programs: Programs, options: argparse.Namespace) -> None:
        folder = os.path.abspath(options.llama_bin)
        names = [name for name in ("ggml-rpc-server", "rpc-server") if os.access(f"{folder}/{name}", os.X_OK)]
        if not names or not os.access(f"{folder}/llama-server", os.X_OK):
            raise BenchmarkError(f"{folder} lacks llama-server, or ggml-rpc-server and rpc-server (GGML_RPC=ON)")
        environment = dict(os.environ, LD_LIBRARY_PATH=folder)
        self._log = tempfile.TemporaryFile()
        self._processes: list[subprocess.Popen[bytes]] = []
        port = options.llama_port
        self.url = f"http://127.0.0.1:{port}"
        try:
            for index, cpu in enumerate(options.cpus):
                self._start(
                    pinned([cpu], [f"{folder}/{names[0]}", "-p", str(port + 1 + index), "-t", "1"]), environment)
            time.sleep(1)
            self._start(
                pinned(options.cpus, [
                    f"{folder}/llama-server", "-m", programs.model, "-t", "1", "-np", str(STREAMS), "-c",
                    str(1024 * STREAMS), "--port", str(port), "--no-webui", "-ngl", "99", "--rpc",
                    f"127.0.0.1:{port + 1},127.0.0.1:{port + 2}"]), environment)
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _start(self, command: list[str], environment: dict[str, str]) -> None:
        self._processes.append(
            subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, env=environment))

    def _wait(self) -> None:
        end = time.monotonic() + self.start_seconds_max
        while time.monotonic() < end:
            for process in self._processes:
                if process.poll() is not None:
                    raise BenchmarkError(f"{process.args} ended with {process.returncode}: {self._text()}")
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.25)
        raise BenchmarkError(f"llama-server is not ready after {self.start_seconds_max} s: {self._text()}")

    def _text(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip()[-1500:]

    def stop(self) -> None:
        for process in reversed(self._processes):
            stop_process(process)
        self._log.close()

    def __enter__(self) -> LlamaServers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
