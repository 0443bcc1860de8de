"""Messages of Swift and of the stock Python library, held against each other.

SHARDLINE_MESSAGE_ROUNDS (200) is how many messages of each type each direction has.
"""

from __future__ import annotations

import os
import random
import unittest

from wirepeer import schema
from wirepeer.frames import Header, Kind, Stamp, decode_frame, encode_frame
from wirepeer.lz4block import compress

from . import echo
from .random_messages import Disguise, RandomMessages

ROUNDS = int(os.environ.get("SHARDLINE_MESSAGE_ROUNDS", "200"))
NAMES = sorted(set(schema.ARGUMENTS.values()) | set(schema.RESULTS.values()) | {
    "Hello", "Welcome", "RemoteFailure", "Enrol", "Enrolled", "Empty"})


@unittest.skipIf(echo.program() is None, "set SHARDLINE_BIN to a folder with shardline-wire-echo")
class MessageTests(unittest.TestCase):
    def test_what_swift_encodes(self) -> None:
        counts: dict[str, int] = {}
        for name, data in echo.generated(seed=1, rounds=ROUNDS):
            counts[name] = counts.get(name, 0) + 1
            frame = decode_frame(data, is_encrypted=False)
            message = schema.parse(name, frame.control)
            self.assertEqual(schema.serialise(message), frame.control, f"{name} is not canonical: {message}")
            if frame.header.flags & 1:
                self.assertGreater(len(frame.bulk), frame.header.bulk_byte_count)
        self.assertEqual(counts, dict.fromkeys(NAMES, ROUNDS))

    def test_what_python_encodes(self) -> None:
        """Byte for byte: what both write is canonical."""
        made = RandomMessages(seed=2)
        source = random.Random(2)
        records: list[tuple[str, bytes]] = []
        for name in NAMES * ROUNDS:
            bulk, block = b"", None
            message = made.message(name)
            row_count = sum(len(rows.tokens) for rows in getattr(message, "sequences", ()))
            if row_count and source.random() < 0.3:
                flat = bytes(4 * row_count * 16)
                bulk, block = (flat, compress(flat)) if source.random() < 0.5 else (source.randbytes(len(flat)), None)
            records.append((name, encode_frame(
                header(source, name, message), schema.serialise(message), bulk, checksum=True, compressed=block)))
        for (name, sent), answer in zip(records, echo.again(records), strict=True):
            self.assertIsInstance(answer, bytes, f"{name}: {answer!r}")
            before, after = (decode_frame(data, is_encrypted=False) for data in (sent, answer))
            self.assertEqual(
                (after.control, after.bulk, after.header.stamp), (before.control, before.bulk, before.header.stamp),
                f"{name}: {schema.parse(name, before.control)}")

    def test_other_bytes_for_the_same(self) -> None:
        """Field for field: what another sender may write is understood alike, later fields are passed over."""
        made, disguise, source = RandomMessages(seed=3), Disguise(seed=3), random.Random(3)
        records, expected = [], []
        for name in NAMES * ROUNDS:
            message = made.message(name)
            control = disguise.encode(message)
            parsed = schema.parse(name, control)
            parsed.DiscardUnknownFields()
            self.assertEqual(schema.serialise(parsed), schema.serialise(message), f"the disguise of {message} shows")
            expected.append(schema.serialise(parsed))
            records.append((name, encode_frame(header(source, name, message), control, checksum=True)))
        for (name, sent), answer, control in zip(records, echo.again(records), expected, strict=True):
            self.assertIsInstance(answer, bytes, f"{name}: {answer!r}: {sent.hex()}")
            self.assertEqual(
                decode_frame(answer, is_encrypted=False).control, control, f"{name}: {schema.parse(name, control)}")

    def test_what_wire_md_refuses(self) -> None:
        """Texts with U+0000, which end strings elsewhere, and messages in parts, which few put together alike."""
        wire = schema.wire()
        description = wire.NodeDescription(node="a", port=7).SerializeToString()
        parts = [b"\x0a" + bytes([len(part)]) + part for part in (description[:3], description[3:])]
        cases = [
            ("NodeLeaving", schema.serialise(wire.NodeLeaving(reason="a\0b"))),
            ("RegisterRequest", schema.serialise(
                wire.RegisterRequest(description=wire.NodeDescription(node="a", host="h\0")))),
            ("RegisterRequest", b"".join(parts)),
        ]
        answers = echo.again([
            (name, encode_frame(Header(Kind.ONE_WAY, method=1), control, checksum=True)) for name, control in cases])
        for (name, control), answer in zip(cases, answers, strict=True):
            with self.subTest(name, control=control):
                self.assertRegex(str(answer), "U.0000|parts")
                with self.assertRaises(schema.MalformedMessage):
                    schema.parse(name, control)

    def test_damaged_messages(self) -> None:
        """What Swift accepts Python accepts, and it means the same."""
        made, source = RandomMessages(seed=4), random.Random(4)
        records = []
        for name in NAMES * ROUNDS:
            message = made.message(name)
            control = bytearray(schema.serialise(message))
            for _ in range(source.randint(1, 3)):
                if control:
                    place = source.randrange(len(control))
                    match source.randrange(3):
                        case 0:
                            control[place] ^= 1 << source.randrange(8)
                        case 1:
                            control[place:place + 1] = source.randbytes(source.randrange(3))
                        case _:
                            del control[place:place + source.randint(1, 8)]
            records.append((name, encode_frame(header(source, name, message), bytes(control), checksum=True)))
        accepted = 0
        for (name, sent), answer in zip(records, echo.again(records), strict=True):
            if isinstance(answer, str):
                continue
            accepted += 1
            control = decode_frame(sent, is_encrypted=False).control
            message = schema.parse(name, control)
            message.DiscardUnknownFields()
            again = schema.parse(name, decode_frame(answer, is_encrypted=False).control)
            self.assertEqual(str(normal(again)), str(normal(message)), f"{name}: {control.hex()}")
        self.assertGreater(accepted, len(records) // 10)


def header(source: random.Random, name: str, message: schema.Message) -> Header:
    """With a stamp, where the message keeps it."""
    numbers = [source.choice([0, 1, source.getrandbits(64), 2**64 - 1]) for _ in range(4)]
    match name:
        case "RegisterRequest":
            return Header(Kind.ONE_WAY, method=1, stamp=Stamp(incarnation=message.description.incarnation))
        case "PrepareStage":
            return Header(Kind.ONE_WAY, method=1, stamp=Stamp(*numbers[:3]))
        case "ForwardStep" | "StepFinished" | "StepFailed" | "StageFailed" | "StagePrepared":
            return Header(Kind.ONE_WAY, method=1, stamp=Stamp(*numbers))
    return Header(Kind.ONE_WAY, method=1)


def normal(message: schema.Message) -> schema.Message:
    """Without differences that wire.md allows."""
    if message.DESCRIPTOR.name == "Hello":
        # Versions of the far future are all alike.
        message.version_max = min(message.version_max, 255)
    for field, value in message.ListFields():
        if field.name in ("scored", "sampled"):
            if not any(value.logprobs) and "-0" not in str(value.logprobs):
                value.ClearField("logprobs")
            if not any(value.top_counts):
                value.ClearField("top_counts")
            if not value.tokens:
                message.ClearField(field.name)
        elif field.message_type is not None:
            for item in [value] if hasattr(value, "DESCRIPTOR") else value:
                normal(item)
        elif isinstance(value, float) and value == 0:
            message.ClearField(field.name)
    return message


if __name__ == "__main__":
    unittest.main()
