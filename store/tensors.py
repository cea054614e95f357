"""Tensors as safetensors bytes: the same content gives the same bytes, in any process.

safetensors writes its metadata in an order that changes from process to process, so equal blobs
would get unequal names; the header is rewritten here with sorted metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

Tensors = dict[str, NDArray[np.generic]]

_KINDS = ("float16", "float32", "int64")
_LENGTH = 8
"""Bytes of the header's own length at the start; also what the header is padded to."""


def pack(tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str]) -> bytes:
    """The file's bytes. ValueError names a tensor whose dtype is not float16, float32, int64."""
    for name, tensor in tensors.items():
        if tensor.dtype.name not in _KINDS:
            raise ValueError(f"tensor {name!r} is {tensor.dtype}; store one of {', '.join(_KINDS)}")
    # safetensors copies from the data pointer and would misread a transposed or sliced array.
    dense = {name: np.require(tensor, requirements="C") for name, tensor in tensors.items()}
    # An empty dict, with no tensors, makes safetensors write a header that is not JSON.
    return _with_sorted_metadata(save(dense, metadata=dict(metadata) or None))


def unpack(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """Tensors (writable copies) and metadata of `data`. ValueError if they cannot be read."""
    try:
        tensors = load(data)
        header, _ = _split(data)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"not readable as safetensors: {error}") from error
    metadata = header.get("__metadata__", {})
    return tensors, {str(key): str(value) for key, value in metadata.items()}


def _with_sorted_metadata(data: bytes) -> bytes:
    header, start = _split(data)
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _LENGTH)
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, memoryview(data)[start:]))


def _split(data: bytes) -> tuple[dict[str, dict[str, object]], int]:
    """The header and the offset at which the tensors begin."""
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    header: dict[str, dict[str, object]] = json.loads(data[_LENGTH:start])
    return header, start
