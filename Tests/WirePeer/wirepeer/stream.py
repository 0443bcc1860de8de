"""One connection as a stream of frames."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from . import schema
from .frames import HEADER_BYTE_COUNT, Frame, Header, Kind, Stamp, decode_body, encode_frame


class FrameStream:
    """Frames over TCP or TLS.

    `tap`, if it is set, sees the bytes of every frame before they are sent ("out") and after they were read ("in"),
    and gives back how many of them may pass; fewer end the connection there. Tests cut conversations with it.
    """

    tap: Callable[[FrameStream, str, bytes], int] | None = None

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int = 0) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer
        self.tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self.last_read_at = loop.time()
        self.is_closed = False

    @property
    def peer_address(self) -> str:
        return "{}:{}".format(*self._writer.get_extra_info("peername", ("?", "?"))[:2])

    async def read(self) -> Frame:
        """The next frame; `asyncio.IncompleteReadError` or `OSError` when the connection ends, `FrameError` when
        what comes is none."""
        header = Header.parse(await self._read(HEADER_BYTE_COUNT), is_encrypted=self.tls is not None)
        control = await self._read(header.control_byte_count)
        return decode_body(header, control, await self._read(header.bulk_byte_count))

    async def _read(self, byte_count: int) -> bytes:
        data = await self._reader.readexactly(byte_count)
        self.last_read_at = self._now()
        if self.tap is not None and self.tap(self, "in", data) < len(data):
            self.abort()
            raise ConnectionResetError("cut")
        return data

    def send(
        self, kind: Kind, control: bytes | schema.Message = b"", bulk: bytes = b"", *, method: int = 0, call: int = 0,
        actor: int = 0, stamp: Stamp = Stamp()
    ) -> None:
        """Queues a frame. Nothing is checksummed under TLS, everything is in plain text."""
        if self.is_closed:
            return
        if not isinstance(control, bytes):
            control = schema.serialise(control)
        header = Header(kind, method=method, call=call, actor=actor, stamp=stamp)
        data = encode_frame(header, control, bulk, checksum=self.tls is None)
        if self.tap is not None and (passing := self.tap(self, "out", data)) < len(data):
            self._writer.write(data[:passing])
            self.close()
            return
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        """After what is queued was written; under TLS with close_notify."""
        if not self.is_closed:
            self.is_closed = True
            self._writer.close()

    def abort(self) -> None:
        self.is_closed = True
        self._writer.transport.abort()
