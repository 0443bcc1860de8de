"""Writes a small model of the llama architecture whose every layer matters to the answer."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, HIDDEN, FEED_FORWARD, HEADS, KV_HEADS, HEAD_SIZE, CONTEXT = 5, 96, 160, 6, 2, 16, 512
VOCABULARY = 257
_ALIGNMENT = 32


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _string(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_string, value))
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
        case []:
            return struct.pack("<IIQ", 9, 8, 0)
    raise TypeError(f"{value!r}")


def _tokens() -> list[str]:
    """The end of a text and the 256 bytes, as a byte-level vocabulary writes them."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    characters = {byte: chr(byte) for byte in visible} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return ["<|endoftext|>"] + [characters[byte] for byte in range(256)]


def write(path: Path, seed: int = 1, half: bool = False) -> None:
    """With `half` the matrices are F16."""
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        # Large enough that attention is far from even and a missing layer changes the answer.
        values = random.standard_normal((rows, columns)) * (1.5 / np.sqrt(columns))
        tensors[name] = values.astype(np.float16 if half else np.float32)

    def norm(name: str) -> None:
        tensors[name] = random.uniform(0.5, 1.5, HIDDEN).astype(np.float32)

    matrix("token_embd.weight", VOCABULARY, HIDDEN)
    for layer in range(LAYERS):
        norm(f"blk.{layer}.attn_norm.weight")
        matrix(f"blk.{layer}.attn_q.weight", HEADS * HEAD_SIZE, HIDDEN)
        matrix(f"blk.{layer}.attn_k.weight", KV_HEADS * HEAD_SIZE, HIDDEN)
        matrix(f"blk.{layer}.attn_v.weight", KV_HEADS * HEAD_SIZE, HIDDEN)
        matrix(f"blk.{layer}.attn_output.weight", HIDDEN, HEADS * HEAD_SIZE)
        norm(f"blk.{layer}.ffn_norm.weight")
        matrix(f"blk.{layer}.ffn_gate.weight", FEED_FORWARD, HIDDEN)
        matrix(f"blk.{layer}.ffn_up.weight", FEED_FORWARD, HIDDEN)
        matrix(f"blk.{layer}.ffn_down.weight", HIDDEN, FEED_FORWARD)
    norm("output_norm.weight")
    matrix("output.weight", VOCABULARY, HIDDEN)

    keys = {
        "general.architecture": "llama", "general.name": "tiny", "llama.block_count": LAYERS,
        "llama.context_length": CONTEXT, "llama.embedding_length": HIDDEN, "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.key_length": HEAD_SIZE, "llama.attention.value_length": HEAD_SIZE,
        "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.dimension_count": HEAD_SIZE,
        "llama.rope.freq_base": 10000.0, "llama.vocab_size": VOCABULARY, "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": _tokens(),
        "tokenizer.ggml.token_type": [3] + [1] * (VOCABULARY - 1), "tokenizer.ggml.merges": [],
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 0, "tokenizer.ggml.add_bos_token": False,
    }
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    header += b"".join(_string(name) + _value(value) for name, value in keys.items())
    data = bytearray()
    for name, values in tensors.items():
        dimensions = tuple(reversed(values.shape))
        header += _string(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        header += struct.pack("<IQ", 1 if values.dtype == np.float16 else 0, len(data))
        data += values.tobytes()
        data += bytes(-len(data) % _ALIGNMENT)
    path.write_bytes(header + bytes(-len(header) % _ALIGNMENT) + data)
