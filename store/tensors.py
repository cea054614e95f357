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
_LARGEST_HEADER = 8 << 20
"""Bytes; ours have a thousand, or with thousands of long labels a million or two."""
_DIMENSIONS = 8


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
    them is. The header may say anything: nothing it says is taken for true, and however large the
    file is, what is read of it is bounded.
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    try:
        header, start = _split(buffer)
        metadata = _texts(header.pop("__metadata__", {}))
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
    kind = entry["dtype"]
    if kind not in _DTYPES:
        raise ValueError(f"dtype {str(kind)[:16]!r} is none of {', '.join(_DTYPES)}")
    dtype = _DTYPES[kind]
    shape = tuple(entry["shape"])
    if len(shape) > _DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("a shape is no list of few sizes")
    if type(begin) is not int or type(end) is not int:
        raise ValueError("offsets are no whole numbers")
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
    size = int.from_bytes(bytes(data[:_LENGTH]), "little")
    if not 2 <= size <= min(len(data) - _LENGTH, _LARGEST_HEADER):
        raise ValueError(f"a header of {size:,} bytes in a file of {len(data):,}")
    start = _LENGTH + size
    header = json.loads(bytes(data[_LENGTH:start]), object_pairs_hook=_distinct)
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    return header, start


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; two entries of one name would be two truths."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _texts(about: dict[str, Any]) -> dict[str, str]:
    """Metadata, if it is text that can be stored."""
    for text in (*about.keys(), *about.values()):
        if not isinstance(text, str):
            raise TypeError("metadata is no text")
        # JSON can spell half of a surrogate pair; UTF-8 cannot.
        text.encode()
    return about
