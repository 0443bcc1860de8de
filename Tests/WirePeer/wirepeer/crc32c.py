"""CRC-32C (wire.md, "Frames"), a table of one byte at a time: only plain TCP needs it."""

from __future__ import annotations

_POLYNOMIAL_REFLECTED = 0x82F63B78


def _row(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL_REFLECTED if value & 1 else 0)
    return value


_TABLE = tuple(_row(value) for value in range(256))


def crc32c(*parts: bytes) -> int:
    """Of the parts one after another."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for part in parts:
        for byte in part:
            crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
