"""Runs of `shardline-load`."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from .cluster import Programs, clean_environment, pinned, stop_process
from .machine import BenchmarkError, Sampler


class LoadReport:
    """The JSON report of a run, and when its phases were."""

    def __init__(self, fields: dict[str, Any], ended_at: float) -> None:
        self.fields = fields
        self._ended_at = ended_at

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def phase(self, name: str) -> dict[str, Any]:
        for phase in self.fields["phases"]:
            if phase["phase"] == name and phase["duration"] > 0:
                return dict(phase)
        raise BenchmarkError(f"the run had no phase '{name}': make it longer")

    def window(self, name: str) -> tuple[float, float]:
        """Beginning and end of a phase, on the monotonic clock."""
        end = self._ended_at
        for phase in reversed(self.fields["phases"]):
            if phase["phase"] == name:
                return end - phase["duration"], end
            end -= phase["duration"]
        raise BenchmarkError(f"the run had no phase '{name}'")

    @property
    def decode_rate(self) -> float:
        """Tokens a second while all streams decode."""
        return float(self.phase("steady")["output_throughput"])


def run_load(
    programs: Programs, url: str, cpus: list[int], *flags: object, sampler: Sampler | None = None,
    allows_failures: bool = False, seconds_max: float = 1800
) -> LoadReport:
    """One run to its end. Raises when requests failed, unless those are to be looked at."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        # Written by its name: a file of ours would be replaced.
        out = Path(folder, "report.json")
        command = pinned(cpus, [
            programs.path("shardline-load"), "--base-url", url, "--json", str(out), *map(str, flags)])
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=clean_environment())
        if sampler:
            sampler.watch(process.pid)
        try:
            status = process.wait(seconds_max)
            ended_at = time.monotonic()
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"the load tool did not end within {seconds_max:.0f} s: {' '.join(command)}") from None
        finally:
            stop_process(process)
        log.seek(0)
        errors = log.read().decode(errors="replace").strip()
        try:
            fields = json.loads(out.read_text())
        except (OSError, ValueError):
            raise BenchmarkError(f"{' '.join(command)} ended with {status}: {errors}") from None
    fields["load_pid"] = process.pid
    if not allows_failures and (status != 0 or fields["failed"]):
        raise BenchmarkError(f"{fields['failed']} requests failed ({fields['errors']}): {' '.join(command)}")
    return LoadReport(fields, ended_at)


def streams(count: int, output_tokens: int, seed: int, prompt_tokens: int = 16) -> list[object]:
    """So many streams that begin together, each of one answer: between the last first token and the first end all
    decode, which is the phase `steady`."""
    return ["--num-prompts", count, "--max-concurrency", count, "--random-input-len", prompt_tokens,
            "--random-output-len", output_tokens, "--ignore-eos", "--seed", seed]
