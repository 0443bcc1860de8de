"""Layers of the llama architecture in float32: what a stage computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .gguf import ModelError, ModelFile

BLOCK_POSITION_COUNT = 32


@dataclass(frozen=True)
class Shape:
    layer_count: int
    hidden_size: int
    head_count: int
    kv_head_count: int
    head_size: int
    rotary_dimension: int
    rotary_base: float
    epsilon: float

    @staticmethod
    def of(file: ModelFile) -> Shape:
        keys = file.metadata
        if keys.get("general.architecture") != "llama":
            raise ModelError(f"architecture {keys.get('general.architecture')!r}; only llama is computed here")
        if "rope_freqs.weight" in file.tensors or keys.get("llama.rope.scaling.type", "none") != "none":
            raise ModelError("scaled rotary positions are not computed here")
        hidden, heads = keys["llama.embedding_length"], keys["llama.attention.head_count"]
        head_size = keys.get("llama.attention.key_length", hidden // heads)
        return Shape(
            keys["llama.block_count"], hidden, heads, keys.get("llama.attention.head_count_kv", heads), head_size,
            keys.get("llama.rope.dimension_count", head_size), keys.get("llama.rope.freq_base", 10000.0),
            keys["llama.attention.layer_norm_rms_epsilon"])


class Pool:
    """The KV of one layer in blocks of 32 positions, rounded to float16 as all stages do."""

    def __init__(self, shape: Shape, block_count: int) -> None:
        # Memory is taken where blocks are written first.
        size = (block_count, BLOCK_POSITION_COUNT, shape.kv_head_count, shape.head_size)
        self.keys = np.zeros(size, np.float16)
        self.values = np.zeros(size, np.float16)

    def store(self, blocks: np.ndarray, first: int, keys: np.ndarray, values: np.ndarray) -> None:
        positions = np.arange(first, first + len(keys))
        place = blocks[positions // BLOCK_POSITION_COUNT], positions % BLOCK_POSITION_COUNT
        self.keys[place] = keys
        self.values[place] = values

    def load(self, blocks: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        used = blocks[:-(-count // BLOCK_POSITION_COUNT)]
        return tuple(
            pool[used].reshape(-1, *pool.shape[2:])[:count].astype(np.float32) for pool in (self.keys, self.values))


def normalised(rows: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    return rows / np.sqrt(np.mean(rows * rows, axis=-1, keepdims=True) + np.float32(epsilon)) * weight


class Layer:
    def __init__(self, file: ModelFile, shape: Shape, index: int, block_count: int) -> None:
        def weight(name: str) -> np.ndarray:
            return file.array(f"blk.{index}.{name}.weight")

        self._shape = shape
        self._attention_norm, self._feed_forward_norm = weight("attn_norm"), weight("ffn_norm")
        self._query, self._key, self._value = weight("attn_q"), weight("attn_k"), weight("attn_v")
        self._output = weight("attn_output")
        self._gate, self._up, self._down = weight("ffn_gate"), weight("ffn_up"), weight("ffn_down")
        self._pool = Pool(shape, block_count)

    def run(self, rows: np.ndarray, sequences: list[tuple[slice, int, np.ndarray]]) -> np.ndarray:
        """The layer's hidden states.

        `sequences` tells, for each, where its rows lie, the position of the first, and its whole list of blocks.
        """
        shape = self._shape
        inner = normalised(rows, self._attention_norm, shape.epsilon)
        queries = (inner @ self._query.T).reshape(len(rows), shape.head_count, shape.head_size)
        keys = (inner @ self._key.T).reshape(len(rows), shape.kv_head_count, shape.head_size)
        values = (inner @ self._value.T).reshape(len(rows), shape.kv_head_count, shape.head_size)
        attended = np.empty_like(queries)
        for place, first, blocks in sequences:
            positions = np.arange(first, first + place.stop - place.start)
            self._pool.store(blocks, first, self._rotated(keys[place], positions), values[place])
            attended[place] = self._attend(self._rotated(queries[place], positions), positions, blocks)
        rows = rows + attended.reshape(len(rows), -1) @ self._output.T
        inner = normalised(rows, self._feed_forward_norm, shape.epsilon)
        gate = inner @ self._gate.T
        return rows + (gate / (1 + np.exp(-gate)) * (inner @ self._up.T)) @ self._down.T

    def _rotated(self, heads: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Turns the pairs (0, 1), (2, 3)... of each head's first dimensions."""
        dimension = self._shape.rotary_dimension
        frequencies = self._shape.rotary_base ** (-np.arange(0, dimension, 2, dtype=np.float64) / dimension)
        angles = positions[:, None].astype(np.float64) * frequencies
        cosines, sines = (f(angles).astype(np.float32)[:, None, :] for f in (np.cos, np.sin))
        result = heads.copy()
        even, odd = heads[..., 0:dimension:2], heads[..., 1:dimension:2]
        result[..., 0:dimension:2] = even * cosines - odd * sines
        result[..., 1:dimension:2] = even * sines + odd * cosines
        return result

    def _attend(self, queries: np.ndarray, positions: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        shape = self._shape
        count = int(positions[-1]) + 1
        keys, values = self._pool.load(blocks, count)
        share = shape.head_count // shape.kv_head_count
        keys, values = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
        scores = np.einsum("rhd,phd->hrp", queries, keys) / np.float32(np.sqrt(shape.head_size))
        scores[:, np.arange(count)[None, :] > positions[:, None]] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return np.einsum("hrp,phd->rhd", scores, values)


class Embedding:
    def __init__(self, file: ModelFile) -> None:
        self._table = file.array("token_embd.weight")

    def rows(self, tokens: list[int]) -> np.ndarray:
        return self._table[tokens]


class Head:
    def __init__(self, file: ModelFile, shape: Shape) -> None:
        self._norm = file.array("output_norm.weight")
        # A model without a matrix for the head uses the embedding's.
        self._table = file.array("output.weight" if "output.weight" in file.tensors else "token_embd.weight")
        self._epsilon = shape.epsilon
        self.end_tokens = [
            file.metadata[key] for key in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
            if key in file.metadata]

    def logits(self, rows: np.ndarray) -> np.ndarray:
        return normalised(rows, self._norm, self._epsilon) @ self._table.T
