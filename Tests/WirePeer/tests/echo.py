"""shardline-wire-echo: the Swift side of the tests of messages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from .cluster import programs


def program() -> Path | None:
    folder = programs()
    path = folder / "shardline-wire-echo" if folder is not None else None
    return path if path is not None and path.exists() else None


def generated(seed: int, rounds: int) -> Iterator[tuple[str, bytes]]:
    """Names and frames of messages that Swift made."""
    data = memoryview(subprocess.run(
        [str(program()), "generate", str(seed), str(rounds)], check=True, capture_output=True).stdout)
    while data:
        name, data = bytes(data[1:1 + data[0]]).decode(), data[1 + data[0]:]
        end = 4 + int.from_bytes(data[:4], "little")
        yield name, bytes(data[4:end])
        data = data[end:]


def again(records: list[tuple[str, bytes]]) -> list[bytes | str]:
    """The frames as Swift encodes them again, or why it refuses them."""
    text = b"".join(
        bytes([len(name)]) + name.encode() + len(frame).to_bytes(4, "little") + frame for name, frame in records)
    data = memoryview(subprocess.run([str(program()), "again"], input=text, check=True, capture_output=True).stdout)
    answers: list[bytes | str] = []
    while data:
        end = 5 + int.from_bytes(data[1:5], "little")
        content = bytes(data[5:end])
        answers.append(content.decode() if data[0] else content)
        data = data[end:]
    return answers
