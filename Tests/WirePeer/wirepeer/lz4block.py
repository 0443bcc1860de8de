"""The LZ4 block format (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md), as much as a peer needs."""

from __future__ import annotations


class LZ4Error(Exception):
    """Bytes that are no block."""


def decompress(block: bytes, byte_count: int) -> bytes:
    """Exactly `byte_count` bytes."""
    out = bytearray()
    position = 0

    def length(nibble: int) -> int:
        nonlocal position
        total = nibble
        if nibble == 15:
            while True:
                byte = block[position]
                position += 1
                total += byte
                if byte != 255 or total > byte_count:
                    break
        return total

    try:
        while True:
            token = block[position]
            position += 1
            literal_count = length(token >> 4)
            if position + literal_count > len(block) or len(out) + literal_count > byte_count:
                raise LZ4Error("literals reach beyond the end")
            out += block[position:position + literal_count]
            position += literal_count
            if position == len(block):
                break
            offset = int.from_bytes(block[position:position + 2], "little")
            position += 2
            if not 0 < offset <= len(out):
                raise LZ4Error("a match begins before the start")
            match_count = length(token & 15) + 4
            if len(out) + match_count > byte_count:
                raise LZ4Error("a match reaches beyond the end")
            start = len(out) - offset
            if offset >= match_count:
                out += out[start:start + match_count]
            else:
                pattern = bytes(out[start:])
                out += (pattern * (match_count // offset + 1))[:match_count]
    except IndexError:
        raise LZ4Error("the block is cut off") from None
    if len(out) != byte_count:
        raise LZ4Error(f"the block holds {len(out)} bytes instead of {byte_count}")
    return bytes(out)


def compress(data: bytes) -> bytes:
    """A valid block: greedy matches of four bytes or more. Slow; it is for tests."""
    out = bytearray()
    seen: dict[bytes, int] = {}
    anchor = position = 0
    # The format's rules for the end: the last 5 bytes are literals, the last match begins 12 bytes before the end.
    match_limit, copy_limit = len(data) - 12, len(data) - 5

    def extra(count: int) -> bytes:
        return b"\xff" * ((count - 15) // 255) + bytes([(count - 15) % 255]) if count >= 15 else b""

    while position <= match_limit:
        key = data[position:position + 4]
        candidate = seen.get(key)
        seen[key] = position
        if candidate is None or position - candidate > 65535:
            position += 1
            continue
        end = position + 4
        while end < copy_limit and data[end] == data[end - position + candidate]:
            end += 1
        literals, matched = data[anchor:position], end - position - 4
        out.append(min(len(literals), 15) << 4 | min(matched, 15))
        out += extra(len(literals)) + literals + (position - candidate).to_bytes(2, "little") + extra(matched)
        anchor = position = end
    literals = data[anchor:]
    out.append(min(len(literals), 15) << 4)
    out += extra(len(literals)) + literals
    return bytes(out)


def join_planes(data: bytes) -> bytes:
    """Undoes the shuffle of wire.md: the bytes of even places came first, then those of odd ones."""
    joined = bytearray(len(data))
    middle = (len(data) + 1) // 2
    joined[0::2], joined[1::2] = data[:middle], data[middle:]
    return bytes(joined)
