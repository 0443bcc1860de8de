"""Model files: as much of GGUF (version 2 and 3) as a stage in float32 needs."""

from __future__ import annotations

import hashlib
import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
# Number formats of tensors: 0 is F32, 1 is F16.
_FORMATS = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
_EDGE_BYTE_COUNT = 4096


class ModelError(Exception):
    """A file that this stage cannot compute."""


@dataclass(frozen=True)
class Tensor:
    name: str
    # As numpy has them: rows first.
    shape: tuple[int, ...]
    format: int
    offset: int

    @property
    def byte_count(self) -> int:
        if self.format not in _FORMATS:
            raise ModelError(f"{self.name} has format {self.format}; only F32 and F16 are computed here")
        return math.prod(self.shape) * _FORMATS[self.format].itemsize


class ModelFile:
    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._position = 0
        if self._take(4) != b"GGUF" or self._scalar("<I") not in (2, 3):
            raise ModelError(f"{path} is no GGUF file of version 2 or 3")
        tensor_count, key_count = self._scalar("<Q"), self._scalar("<Q")
        self.metadata: dict[str, Any] = {}
        for _ in range(key_count):
            name = self._string()
            self.metadata[name] = self._value(self._scalar("<I"))
        tensors = [self._tensor() for _ in range(tensor_count)]
        self._header_byte_count = self._position
        alignment = self.metadata.get("general.alignment", 32)
        start = -(-self._position // alignment) * alignment
        self.tensors = {
            tensor.name: Tensor(tensor.name, tensor.shape, tensor.format, start + tensor.offset) for tensor in tensors}

    def _take(self, byte_count: int) -> bytes:
        data = self._data[self._position:self._position + byte_count]
        if len(data) != byte_count:
            raise ModelError("the model file is cut off")
        self._position += byte_count
        return data

    def _scalar(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _string(self) -> str:
        return self._take(self._scalar("<Q")).decode(errors="replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            element, count = self._scalar("<I"), self._scalar("<Q")
            return [self._value(element) for _ in range(count)]
        if kind not in _SCALARS:
            raise ModelError(f"a value of kind {kind}")
        return self._scalar(_SCALARS[kind])

    def _tensor(self) -> Tensor:
        name = self._string()
        dimensions = [self._scalar("<Q") for _ in range(self._scalar("<I"))]
        return Tensor(name, tuple(reversed(dimensions)), self._scalar("<I"), self._scalar("<Q"))

    def array(self, name: str) -> np.ndarray:
        """A copy in float32."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise ModelError(f"the model has no tensor {name}")
        bits = self._data[tensor.offset:tensor.offset + tensor.byte_count]
        return np.frombuffer(bits, _FORMATS[tensor.format]).reshape(tensor.shape).astype(np.float32)

    def byte_count(self, prefix: str) -> int:
        """Of all tensors whose names begin so."""
        return sum(tensor.byte_count for name, tensor in self.tensors.items() if name.startswith(prefix))

    def fingerprint(self) -> str:
        """What `PrepareStage.model_fingerprint` must be (wire.md, "Stages")."""
        digest = hashlib.sha256(self._data[:self._header_byte_count])
        digest.update(struct.pack("<Q", len(self._data)))
        for tensor in self.tensors.values():
            edge, end = min(_EDGE_BYTE_COUNT, tensor.byte_count), tensor.offset + tensor.byte_count
            digest.update(self._data[tensor.offset:tensor.offset + edge])
            digest.update(self._data[end - edge:end])
        return digest.hexdigest()
