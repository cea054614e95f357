"""An adapter that somebody sends: bounded, and read as the hostile file that it may be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.errors import BadInput, TooLarge
from store.tensors import Tensors, unpack

LARGEST = 64 << 20
"""Bytes of an adapter's file; ours have one, or with thousands of labels a few, MiB."""


def received(chunks: Iterator[bytes], most: int | None = None) -> bytearray:
    """All of it. TooLarge as soon as it is more than `most` bytes (LARGEST)."""
    limit = LARGEST if most is None else most
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise TooLarge(
                f"The file has more than {limit >> 20} MiB; no adapter is that large.",
                remedy="Send an adapter's safetensors file.",
            )
    return data


def unpacked(data: bytes | bytearray) -> tuple[Tensors, dict[str, str]]:
    """Tensors and metadata of a safetensors file. BadInput if it is none, or lies."""
    try:
        return unpack(np.frombuffer(data, dtype=np.uint8))
    except ValueError as error:
        raise BadInput(
            f"The file is {error}.".replace("is not readable", "cannot be read"),
            remedy="Send a file that hmi adapter export wrote.",
            code="not_an_adapter",
        ) from error
