"""A cluster of real processes, each with a folder of its own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from wirepeer.credentials import Credentials

from . import tiny_model

ROOT = Path(__file__).resolve().parents[3]


def programs() -> Path | None:
    """The folder of the built programs: SHARDLINE_BIN."""
    folder = os.environ.get("SHARDLINE_BIN")
    return Path(folder) if folder else None


def free_port() -> int:
    """One that nobody listens at; the configuration of a coordinator needs a number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Program:
    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._log = log
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SHARDLINE_")}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent,
                env=clean | {"XDG_STATE_HOME": str(log.parent / "state")} | (environment or {}))

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def descriptor_count(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_for(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        end = time.monotonic() + seconds
        while (match := re.search(pattern, self.text)) is None:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{pattern!r} was not said: {self.text}")
            time.sleep(0.02)
        return match

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


class Cluster:
    """A coordinator with its gateway that serves the tiny model; nodes are added."""

    def __init__(self, node_count_min: int, is_secure: bool = True, half: bool = False) -> None:
        folder = programs()
        assert folder is not None
        self._programs = folder
        self._scratch = tempfile.TemporaryDirectory(prefix="wirepeer-")
        self.folder = Path(self._scratch.name)
        self.model = self.folder / "tiny.gguf"
        tiny_model.write(self.model, half=half)
        self.is_secure = is_secure
        self._running: list[Program] = []
        self.port = free_port()
        security = "" if is_secure else "security: {insecure: true}\n"
        (self.folder / "cluster.yaml").write_text(
            f"coordinator: {{host: 127.0.0.1, port: {self.port}, minimum_nodes: {node_count_min}, data_directory: data}}\n"
            f"gateway: {{host: 127.0.0.1, port: 0}}\n"
            f"models: [{{name: tiny, path: {self.model}, kv_cache_tokens: 2048}}]\n"
            f"nodes: [{', '.join(f'{{name: unlisted-{index}}}' for index in range(node_count_min))}]\n{security}")
        self.coordinator = self.start("coordinator", [str(folder / "shardline"), "serve", "--config", "cluster.yaml"])
        self.coordinator.wait_for("waiting for nodes at")

    def start(self, name: str, arguments: list[str], environment: dict[str, str] | None = None) -> Program:
        program = Program(arguments, self.folder / f"{name}-{len(self._running)}.log", environment)
        self._running.append(program)
        return program

    def close(self) -> None:
        for program in reversed(self._running):
            program.stop()
        self._scratch.cleanup()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.coordinator.wait_for(r"(http://127\.0\.0\.1:\d+)")[1]

    # MARK: Processes and commands

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / "shardline"), *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, *arguments: str) -> str:
        return self.command("token", "create", "--data-directory", "data", *arguments).strip()

    def start_node(self, name: str, *arguments: str) -> Program:
        security = [] if self.is_secure else ["--insecure"]
        environment = {"SHARDLINE_JOIN_TOKEN": self.token()} if self.is_secure else {}
        node = self.start(name, [
            str(self._programs / "shardline-node"), "--coordinator", self.address, "--name", name, "--data-directory",
            name, "--threads", "1", "--model", str(self.model), *security, *arguments], environment)
        node.wait_for("joined the cluster as")
        return node

    def peer(self, name: str, *arguments: str) -> Program:
        """tools/wirepeer as a process."""
        return self.start(name, [str(ROOT / "tools/wirepeer"), *arguments])

    def enrol(self, name: str) -> Credentials:
        """Credentials of a node that tools/wirepeer asked for."""
        (self.folder / f"{name}.token").write_text(self.token("--node", name) + "\n")
        enrolling = self.peer(
            f"{name}-enrol", "enrol", "--coordinator", self.address, "--token-file", f"{name}.token", "--name", name,
            "--out", f"{name}-peer")
        assert enrolling.process.wait(30) == 0, enrolling.text
        return Credentials.read(self.folder / f"{name}-peer")

    # MARK: What it serves

    def post(self, path: str, body: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return json.load(response)

    def complete(self, prompt: str, token_count: int = 24) -> tuple[list[str], list[float]]:
        """The likeliest tokens, and the log-probability of each."""
        answer = self.post("/v1/completions", {
            "model": "tiny", "prompt": prompt, "max_tokens": token_count, "temperature": 0, "logprobs": 2})
        content = answer["choices"][0]["logprobs"]["content"]
        return [token["token"] for token in content], [token["logprob"] for token in content]

    def topology(self) -> dict[str, Any]:
        arguments = ["--data-directory", "data"] if self.is_secure else ["--insecure"]
        return json.loads(self.command("topology", "--json", "--coordinator", self.address, *arguments))

    def wait_until_running(self, seconds: float = 30) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            topology = self.topology()
            if any(pipeline["state"].startswith("running") for pipeline in topology["pipelines"]):
                return topology
            assert time.monotonic() < end, f"{topology} {self.coordinator.text}"
            time.sleep(0.05)
