"""Both implementations read the same frames: Tests/WireTests/GoldenFrameTests.swift is this test's twin."""

from __future__ import annotations

import unittest

from wirepeer import schema
from wirepeer.crc32c import crc32c
from wirepeer.frames import FLAG_CHECKSUM, FLAG_COMPRESSED, FLAG_SHUFFLED, FrameError, decode_frame, encode_frame
from wirepeer.lz4block import LZ4Error, compress, decompress

from . import echo


def golden() -> list[tuple[str, str, bytes]]:
    """Name, message or "-", and bytes of each golden frame."""
    folder = schema.protocols_folder() / "golden"
    lines = [line for line in (folder / "index.txt").read_text().splitlines() if not line.startswith("#")]
    return [
        (name, message, bytes.fromhex((folder / f"{name}.hex").read_text()))
        for name, message, *_ in (line.split(maxsplit=2) for line in lines)]


class GoldenTests(unittest.TestCase):
    def test_all_are_listed(self) -> None:
        folder = schema.protocols_folder() / "golden"
        self.assertEqual({path.stem for path in folder.glob("*.hex")}, {name for name, _, _ in golden()})

    def test_frames_are_decoded_and_encoded_to_the_same_bytes(self) -> None:
        for name, message, data in golden():
            with self.subTest(name):
                frame = decode_frame(data, is_encrypted=True)
                control = b""
                if message == "-":
                    self.assertEqual(frame.control, b"")
                else:
                    control = schema.serialise(schema.parse(message, frame.control))
                # What LZ4 makes of bulk is the compressor's choice.
                start = 80 + frame.header.control_byte_count
                block = data[start:] if frame.header.flags & FLAG_COMPRESSED else None
                again = encode_frame(
                    frame.header, control, frame.bulk, checksum=bool(frame.header.flags & FLAG_CHECKSUM),
                    compressed=block, shuffled=bool(frame.header.flags & FLAG_SHUFFLED))
                self.assertEqual(again, data)

    @unittest.skipIf(echo.program() is None, "set SHARDLINE_BIN to a folder with shardline-wire-echo")
    def test_both_implementations_mean_the_same(self) -> None:
        """The other implementation reads each message and writes the control part again, byte for byte."""
        frames = [(name, message, data) for name, message, data in golden() if message != "-"]
        answers = echo.again([(message, data) for _, message, data in frames])
        for (name, _, data), answer in zip(frames, answers, strict=True):
            with self.subTest(name):
                self.assertIsInstance(answer, bytes, f"{answer!r}")
                ours, theirs = decode_frame(data, is_encrypted=True), decode_frame(answer, is_encrypted=True)
                self.assertEqual((theirs.control, theirs.bulk), (ours.control, ours.bulk))

    def test_damaged_frames_are_refused(self) -> None:
        for name, _, data in golden():
            frame = decode_frame(data, is_encrypted=True)
            if not frame.header.flags & FLAG_CHECKSUM:
                continue
            for index in range(0, len(data), 3):
                damaged = bytearray(data)
                damaged[index] ^= 1 << index % 8
                with self.subTest(name, index=index), self.assertRaises(FrameError):
                    decode_frame(bytes(damaged), is_encrypted=False)

    def test_methods_have_messages(self) -> None:
        methods = schema.methods()
        self.assertEqual(set(methods), set(schema.ARGUMENTS))
        self.assertEqual({name for name, method in methods.items() if method.is_call}, set(schema.RESULTS))
        self.assertLessEqual(set(schema.ARGUMENTS.values()) | set(schema.RESULTS.values()), set(schema.messages()))


class ChecksumTests(unittest.TestCase):
    def test_known_value(self) -> None:
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b"1234", b"", b"56789"), 0xE3069283)


class CompressionTests(unittest.TestCase):
    def test_blocks_come_back(self) -> None:
        for text in (b"", b"a", b"abc" * 100, bytes(range(256)) * 3, bytes(70000), b"x" * 300 + bytes(range(200))):
            self.assertEqual(decompress(compress(text), len(text)), text)

    def test_damage_is_refused(self) -> None:
        block = compress(b"abc" * 100)
        for wrong in (block[:-1], block[:3], b"", b"\x1f", b"\x10a\x05\x00", block + b"\x00"):
            with self.subTest(wrong), self.assertRaises(LZ4Error):
                decompress(wrong, 300)


if __name__ == "__main__":
    unittest.main()
