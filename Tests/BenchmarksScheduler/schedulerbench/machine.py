"""What processes take of the machine, as the kernel counts it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


class BenchmarkError(Exception):
    """Why nothing could be measured, for the person who asked."""


def children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass
    return sorted(found)


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def bind(pid: int, cpus: list[int]) -> None:
    """Binds all threads of a process; those it starts later inherit it."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), cpus)
    except ProcessLookupError:
        pass


def thread_seconds(pid: int) -> dict[tuple[int, str], float]:
    """Processor seconds of each thread that lives, by its number and name."""
    seconds: dict[tuple[int, str], float] = {}
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            folder = Path(f"/proc/{pid}/task/{task}")
            try:
                name = (folder / "comm").read_text().strip()
                seconds[int(task), name] = int((folder / "schedstat").read_text().split()[0]) / 1e9
            except OSError:
                continue
    except OSError:
        pass
    return seconds


def resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptor_count(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


@dataclass
class Usage:
    """Processor time of one process in a window, as a share of one core."""

    process: float = 0
    by_thread_name: dict[str, float] = field(default_factory=dict)


class Sampler:
    """Notes the processor times of processes several times a second, so that any window can be looked at later."""

    interval_seconds = 0.25

    def __init__(self) -> None:
        self._pids: list[int] = []
        self._samples: list[tuple[float, dict[int, dict[tuple[int, str], float]]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def watch(self, pid: int) -> None:
        self._pids.append(pid)

    def _run(self) -> None:
        while not self._stop.wait(self.interval_seconds):
            now = time.monotonic()
            self._samples.append((now, {pid: thread_seconds(pid) for pid in list(self._pids)}))

    def usage(self, pid: int, start: float, end: float) -> Usage:
        inside = [(at, times[pid]) for at, times in self._samples if start <= at <= end and times.get(pid)]
        if len(inside) < 2:
            raise BenchmarkError(f"only {end - start:.1f} s were measured: too short, raise --output-tokens")
        (first_at, first), (last_at, last) = inside[0], inside[-1]
        usage = Usage()
        for (task, name), seconds in last.items():
            share = (seconds - first.get((task, name), 0.0)) / (last_at - first_at)
            usage.process += share
            usage.by_thread_name[name] = usage.by_thread_name.get(name, 0.0) + share
        return usage
