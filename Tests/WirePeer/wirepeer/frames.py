"""Frames: the header of 80 bytes, its checks, and the body behind it (wire.md, "Frames" and "Kinds")."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from .crc32c import crc32c
from .lz4block import LZ4Error, decompress, join_planes

HEADER_BYTE_COUNT = 80
MAGIC = b"SHRD"
VERSION = 1

FLAG_COMPRESSED = 1
FLAG_CHECKSUM = 2
FLAG_SHUFFLED = 4

_LAYOUT = struct.Struct("<4sBBHHHIIIQQQQQQII")
_LAST_FIELD = HEADER_BYTE_COUNT - 4


class Kind(IntEnum):
    HELLO = 1
    WELCOME = 2
    REFUSE = 3
    CALL = 4
    REPLY = 5
    FAILURE = 6
    ONE_WAY = 7
    CANCEL = 8
    PING = 9
    PONG = 10
    GOODBYE = 11
    ENROL = 12
    ENROLLED = 13
    GRANT = 14
    PIECE = 15
    LANDED = 16
    REVOKE = 17
    ABANDON = 18
    ACKNOWLEDGE = 19


_MIB = 1 << 20
_BODY = (4 * _MIB, 256 * _MIB)
# Of the control part and of the bulk part, in bytes.
LIMITS = {
    Kind.HELLO: (4096, 0), Kind.WELCOME: (4096, 0), Kind.REFUSE: (4096, 0),
    Kind.ENROL: (8192, 0), Kind.ENROLLED: (262144, 0),
    Kind.FAILURE: (4096, 0), Kind.GOODBYE: (4096, 0), Kind.REVOKE: (4096, 0), Kind.ABANDON: (4096, 0),
    Kind.CALL: _BODY, Kind.REPLY: _BODY, Kind.ONE_WAY: _BODY,
    Kind.CANCEL: (0, 0), Kind.PING: (0, 0), Kind.PONG: (0, 0), Kind.GRANT: (0, 0), Kind.LANDED: (0, 0),
    Kind.PIECE: (0, _MIB), Kind.ACKNOWLEDGE: (0, 0),
}
HANDSHAKE_KINDS = frozenset({Kind.HELLO, Kind.WELCOME, Kind.REFUSE, Kind.ENROL, Kind.ENROLLED})
_CALL_KINDS = frozenset({
    Kind.CALL, Kind.REPLY, Kind.FAILURE, Kind.CANCEL, Kind.GRANT, Kind.PIECE, Kind.LANDED, Kind.REVOKE, Kind.ABANDON,
    Kind.ACKNOWLEDGE})


class FrameError(Exception):
    """Bytes that are no frame."""


@dataclass(frozen=True)
class Stamp:
    term: int = 0
    incarnation: int = 0
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Header:
    kind: Kind
    control_byte_count: int = 0
    bulk_byte_count: int = 0
    bulk_uncompressed_byte_count: int = 0
    flags: int = 0
    method: int = 0
    call: int = 0
    actor: int = 0
    stamp: Stamp = Stamp()
    body_checksum: int = 0
    version: int = VERSION

    def encode(self) -> bytes:
        stamp = self.stamp
        head = _LAYOUT.pack(
            MAGIC, self.version, self.kind, self.flags, self.method, 0, self.control_byte_count, self.bulk_byte_count,
            self.bulk_uncompressed_byte_count, self.call, self.actor, stamp.term, stamp.incarnation, stamp.epoch,
            stamp.step, self.body_checksum, 0)
        return head[:_LAST_FIELD] + crc32c(head[:_LAST_FIELD]).to_bytes(4, "little")

    @staticmethod
    def parse(data: bytes, is_encrypted: bool) -> Header:
        """In the order that wire.md gives."""
        (magic, version, kind, flags, method, reserved, control, bulk, uncompressed, call, actor, term, incarnation,
            epoch, step, body_checksum, header_checksum) = _LAYOUT.unpack(data)
        if magic != MAGIC:
            raise FrameError(f"a frame begins with {magic.hex(' ')}")
        if crc32c(data[:_LAST_FIELD]) != header_checksum:
            raise FrameError("the header's checksum is wrong")
        if version != VERSION:
            raise FrameError(f"version {version}")
        if kind not in LIMITS:
            raise FrameError(f"kind {kind}")
        kind = Kind(kind)
        if reserved:
            raise FrameError("reserved bytes are set")
        if flags & ~(FLAG_COMPRESSED | FLAG_CHECKSUM | FLAG_SHUFFLED) or (
                flags & FLAG_SHUFFLED and not flags & FLAG_COMPRESSED):
            raise FrameError(f"flags {flags:#x}")
        if not flags & FLAG_CHECKSUM and (body_checksum or not is_encrypted and control + bulk):
            raise FrameError("a body without a checksum, or a checksum without its flag")
        control_limit, bulk_limit = LIMITS[kind]
        if control > control_limit or bulk > bulk_limit or uncompressed > bulk_limit:
            raise FrameError(f"{kind.name} with {control} + {bulk} ({uncompressed}) bytes")
        if flags & FLAG_COMPRESSED and not 0 < bulk < uncompressed or not flags & FLAG_COMPRESSED and (
                bulk != uncompressed):
            raise FrameError(f"bulk of {bulk} bytes for {uncompressed}")
        if kind in (Kind.CALL, Kind.ONE_WAY) and not method:
            raise FrameError(f"{kind.name} of no method")
        if kind in _CALL_KINDS and not call:
            raise FrameError(f"{kind.name} without a call's number")
        return Header(
            kind, control, bulk, uncompressed, flags, method, call, actor, Stamp(term, incarnation, epoch, step),
            body_checksum, version)


@dataclass(frozen=True)
class Frame:
    """A header with the body that it announces; `bulk` is decompressed."""

    header: Header
    control: bytes = b""
    bulk: bytes = b""

    @property
    def kind(self) -> Kind:
        return self.header.kind


def encode_frame(header: Header, control: bytes = b"", bulk: bytes = b"", *, checksum: bool,
                 compressed: bytes | None = None, shuffled: bool = False) -> bytes:
    """The frame's bytes; lengths, flags and checksums of `header` are filled in.

    `compressed` is a block that decompresses to `bulk`, to be sent in its place; with `shuffled`, to the planes of
    its bytes.
    """
    sent = bulk if compressed is None else compressed
    complete = replace(
        header, control_byte_count=len(control), bulk_byte_count=len(sent), bulk_uncompressed_byte_count=len(bulk),
        flags=((FLAG_COMPRESSED if compressed is not None else 0) | (FLAG_CHECKSUM if checksum else 0)
               | (FLAG_SHUFFLED if shuffled else 0)),
        body_checksum=crc32c(control, sent) if checksum else 0)
    return complete.encode() + control + sent


def decode_body(header: Header, control: bytes, sent: bytes) -> Frame:
    if header.flags & FLAG_CHECKSUM and crc32c(control, sent) != header.body_checksum:
        raise FrameError("the body's checksum is wrong")
    if not header.flags & FLAG_COMPRESSED:
        return Frame(header, control, sent)
    try:
        bulk = decompress(sent, header.bulk_uncompressed_byte_count)
        return Frame(header, control, join_planes(bulk) if header.flags & FLAG_SHUFFLED else bulk)
    except LZ4Error as error:
        raise FrameError(f"the bulk part cannot be decompressed: {error}") from None


def decode_frame(data: bytes, is_encrypted: bool) -> Frame:
    """One whole frame."""
    header = Header.parse(data[:HEADER_BYTE_COUNT], is_encrypted)
    middle = HEADER_BYTE_COUNT + header.control_byte_count
    if len(data) != middle + header.bulk_byte_count:
        raise FrameError(f"{len(data)} bytes instead of {middle + header.bulk_byte_count}")
    return decode_body(header, data[HEADER_BYTE_COUNT:middle], data[middle:])
