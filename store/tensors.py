"""Tensors as safetensors bytes: the same content gives the same bytes, in any process.

safetensors writes its metadata in an order that changes from process to process, so equal blobs
would get unequal names; the header is rewritten here with sorted metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

Tensors = dict[str, NDArray[np.generic]]

_KINDS = ("float16", "float32", "int64")
_DTYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
}
_UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What a header that is not ours can bring about."""
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


def unpack(data: bytes | NDArray[np.uint8]) -> tuple[Tensors, dict[str, str]]:
    """Tensors and metadata of `data`. ValueError if they cannot be read.

    The tensors are views of `data`: writable if that is an array, and alive as long as any of
    them is.
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    try:
        header, start = _split(buffer)
        about = header.pop("__metadata__", {})
        metadata = {str(key): str(value) for key, value in about.items()}
        tensors = {name: _view(entry, buffer[start:]) for name, entry in header.items()}
        spans = sorted(entry["data_offsets"] for entry in header.values())
    except _UNREADABLE as error:
        raise ValueError(f"not readable as safetensors: {error}") from error
    ends = [0, *(end for _, end in spans)]
    if [begin for begin, _ in spans] != ends[:-1] or ends[-1] != len(buffer) - start:
        raise ValueError("not readable as safetensors: the tensors do not fill the file")
    return tensors, metadata


def _view(entry: dict[str, Any], content: NDArray[np.uint8]) -> NDArray[np.generic]:
    """The tensor that a header's entry describes; ValueError or TypeError if there is none."""
    begin, end = entry["data_offsets"]
    dtype = _DTYPES[entry["dtype"]]
    shape = tuple(entry["shape"])
    if not 0 <= begin <= end or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{end - begin} bytes are no {dtype} of shape {shape}")
    return content[begin:end].view(dtype).reshape(shape)


def _with_sorted_metadata(data: bytes) -> bytes:
    header, start = _split(data)
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _LENGTH)
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, memoryview(data)[start:]))


def _split(data: bytes | NDArray[np.uint8]) -> tuple[dict[str, dict[str, Any]], int]:
    """The header and the offset at which the tensors begin."""
    start = _LENGTH + int.from_bytes(bytes(data[:_LENGTH]), "little")
    header: dict[str, dict[str, Any]] = json.loads(bytes(data[_LENGTH:start]))
    return header, start
