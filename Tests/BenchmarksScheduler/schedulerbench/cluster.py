"""A cluster of `shardline local`, bound to processors."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

from .machine import BenchmarkError, bind, children, command_line


class Programs:
    """Where things are, as tools/bench-scheduler found them."""

    def __init__(self) -> None:
        self.folder = os.environ.get("SHARDLINE_BIN", "")
        self.model = os.environ.get("SHARDLINE_MODEL", "")
        if not self.folder or not self.model:
            raise BenchmarkError("SHARDLINE_BIN and SHARDLINE_MODEL are not set: run tools/bench-scheduler")

    def path(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        if not os.access(path, os.X_OK):
            raise BenchmarkError(f"{path} is missing: build the product {name}")
        return path


def pinned(cpus: list[int], command: list[str]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cpus)), *command]


def clean_environment() -> dict[str, str]:
    """Flags say all: what the environment of the caller says is not meant for these programs."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SHARDLINE_")}


def _limit_open_files(count: int | None) -> None:
    """The soft limit that a shell would have set; the program may raise it as far as the hard one."""
    if count is not None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard >= 0 else count, hard))


def stop_process(process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Metrics(dict[str, float]):
    """Values by name and labels, as they stand in the text; by a name alone, the sum over all labels."""

    def __missing__(self, name: str) -> float:
        values = [value for key, value in self.items() if key.startswith(name + "{")]
        if not values:
            raise KeyError(name)
        return sum(values)


class Cluster:
    """Coordinator and gateway on `service_cpus`, and a node on each of `node_cpus`, with a thread for each of its CPUs.

    TLS between all of them, as by default.
    """

    start_seconds_max = 180

    def __init__(
        self, programs: Programs, node_cpus: list[list[int]], service_cpus: list[int], *flags: str,
        open_files: int | None = None
    ) -> None:
        self._node_cpus = node_cpus
        self._log = tempfile.TemporaryFile()
        every = sorted({cpu for cpus in [*node_cpus, service_cpus] for cpu in cpus})
        self.process = subprocess.Popen(
            pinned(every, [
                programs.path("shardline"), "local", "--model", programs.model, "--nodes", str(len(node_cpus)),
                "--threads", str(len(node_cpus[0])), "--port", "0", "--log-level", "warning", *flags]),
            stdout=subprocess.PIPE, stderr=self._log, env=clean_environment(),
            preexec_fn=lambda: _limit_open_files(open_files))
        self.nodes: list[int] = []
        self._ready = threading.Event()
        self.url = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        bind(self.process.pid, service_cpus)
        self._bind_nodes()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(b"ready: "):
                self.url = line.split()[1].decode()
                self._ready.set()

    def _wait(self) -> None:
        end = time.monotonic() + self.start_seconds_max
        while not self._ready.wait(0.02):
            # As early as can be: a node measures its processor when it starts, and the plan follows from that.
            if len(self.nodes) < len(self._node_cpus):
                self._bind_nodes()
            if self.process.poll() is not None:
                raise BenchmarkError(f"shardline local ended with {self.process.returncode}: {self.log()}")
            if time.monotonic() > end:
                raise BenchmarkError(f"shardline local is not ready after {self.start_seconds_max} s: {self.log()}")

    def _bind_nodes(self) -> None:
        self.nodes = []
        found = {}
        for pid in children(self.process.pid):
            words = command_line(pid)
            if "--name" in words and words[0].endswith("shardline-node"):
                found[words[words.index("--name") + 1]] = pid
        for index, cpus in enumerate(self._node_cpus):
            if pid := found.get(f"node-{index + 1}"):
                bind(pid, cpus)
                self.nodes.append(pid)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip()[-2000:] or "it wrote nothing"

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as reply:
            return str(reply.read().decode())

    def metrics(self) -> Metrics:
        values = Metrics()
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name.removeprefix("shardline_")] = float(value)
        return values

    def stop(self) -> None:
        stop_process(self.process)
        self._log.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
