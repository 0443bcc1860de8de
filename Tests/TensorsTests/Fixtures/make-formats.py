#!/usr/bin/env python3
"""Writes formats.bin: random rows of every weight format, and what the PyPI package gguf makes of them.

    pip install gguf==0.19.0 && python3 Tests/TensorsTests/Fixtures/make-formats.py

The numbers are the same on every run. Little-endian, one record a format: its type number, rows and columns (uint32
each), the rows' bytes as they stand in a model file, their values (float32). The record's sizes follow from these.
Scales run through zeros, subnormals, the largest halves and random bits of either sign; the integers of the first row
run through all patterns in turn, those of the others are random.
"""
import os

import numpy as np
from gguf import GGMLQuantizationType, quants
from gguf.constants import GGML_QUANT_SIZES

ROWS, COLUMNS = 3, 512

# Where the float16 scales of a block are, in bytes from its start.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
FLOATS = {"F32": "<u4", "F16": "<u2", "BF16": "<u2"}
# Zeros, the smallest and the largest subnormal, the smallest normal, one, the largest; of either sign.
SPECIAL_HALVES = [magnitude | sign for magnitude in (0, 1, 0x3FF, 0x400, 0x3C00, 0x7BFF) for sign in (0, 0x8000)]
EXPONENTS = {"F32": 0x7F800000, "F16": 0x7C00, "BF16": 0x7F80}


def float_row(random, name):
    """A row of finite values: every exponent is as likely as any other, subnormals and zeros among them."""
    kind = np.dtype(FLOATS[name])
    bits = random.integers(0, 1 << 8 * kind.itemsize, COLUMNS, dtype=np.uint64)
    sign = 1 << 8 * kind.itemsize - 1
    bits[:8] = [0, sign, 1, sign | 1, EXPONENTS[name] - 1, sign | EXPONENTS[name] - 1, 2, sign | 3]
    infinite = (bits & EXPONENTS[name]) == EXPONENTS[name]
    bits[infinite] ^= EXPONENTS[name] & ~(EXPONENTS[name] >> 1)
    return bits.astype(kind).view(np.uint8)


def block_row(random, name, row, halves):
    """A row of blocks; `halves` gives the next scale."""
    block_columns, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    count = COLUMNS // block_columns
    if row == 0:
        data = (np.arange(count * block_bytes) * 37 + 11).astype(np.uint8)
    else:
        data = random.integers(0, 256, count * block_bytes).astype(np.uint8)
    blocks = data.reshape(count, block_bytes)
    for block in blocks:
        for at in SCALES[name]:
            block[at:at + 2] = np.array([next(halves)], dtype="<u2").view(np.uint8)
    return data


def scales(random):
    """Halves without end: a special one and a random one by turns, all finite."""
    while True:
        for half in random.permutation(SPECIAL_HALVES):
            yield int(half)
            yield int(random.integers(0, 0x7C00)) | int(random.integers(0, 2)) << 15


def record(name):
    kind = GGMLQuantizationType[name]
    random = np.random.Generator(np.random.PCG64(1000 + kind.value))
    halves = scales(random)
    rows = [
        float_row(random, name) if name in FLOATS else block_row(random, name, row, halves) for row in range(ROWS)
    ]
    data = np.stack(rows)
    values = quants.dequantize(data, kind).astype("<f4").reshape(ROWS, COLUMNS)
    assert np.isfinite(values).all(), name
    return np.array([kind.value, ROWS, COLUMNS], dtype="<u4").tobytes() + data.tobytes() + values.tobytes()


path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats.bin")
with open(path, "wb") as file:
    for name in [*FLOATS, *SCALES]:
        file.write(record(name))
