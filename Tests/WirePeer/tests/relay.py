"""Cuts conversations: a relay of TCP connections that ends one after a given number of bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """Ends the connection that is the `connection`th to come, after `byte_count` bytes of one direction."""

    connection: int
    is_outward: bool
    byte_count: int
    # With RST, instead of with FIN.
    is_reset: bool


class Relay:
    """Passes connections on to a port of this host. `passed` counts the bytes of each, outward and back."""

    def __init__(self, port: int, cut: Cut | None = None) -> None:
        self._target = port
        self._cut = cut
        self.passed: list[list[int]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = len(self.passed)
        counts = [0, 0]
        self.passed.append(counts)
        ends = [writer]
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(other_writer)
            cut = self._cut if self._cut is not None and self._cut.connection == number else None
            both = [
                asyncio.create_task(self._pass(reader, other_writer, counts, 0, cut)),
                asyncio.create_task(self._pass(other_reader, writer, counts, 1, cut))]
            try:
                # What ends one way ends the other: a lane that is half closed is closed.
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in both:
                    direction.cancel()
                await asyncio.gather(*both, return_exceptions=True)
            if cut is not None and cut.is_reset:
                for end in ends:
                    reset(end)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in ends:
                end.close()
            self._tasks.discard(task)

    @staticmethod
    async def _pass(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: list[int], direction: int, cut: Cut | None
    ) -> None:
        limit = cut.byte_count if cut is not None and cut.is_outward == (direction == 0) else None
        while limit is None or counts[direction] < limit:
            data = await reader.read(65536 if limit is None else limit - counts[direction])
            if not data:
                return
            counts[direction] += len(data)
            writer.write(data)
            await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST: what was not sent is lost, and the other end learns of it at once."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
