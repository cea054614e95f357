"""A body that may have been compressed with gzip, as plain bytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from engine.errors import BadInput, TooLarge

_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 256 << 10
"""Bytes that are unpacked at once, whatever a small chunk would grow to."""


def plain(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    """The chunks, unpacked if they begin as gzip does. TooLarge beyond `most` unpacked bytes;
    BadInput if the file is damaged or cut off."""
    rest = iter(chunks)
    head = b""
    while len(head) < len(_MAGIC) and (chunk := next(rest, b"")):
        head += chunk
    whole = chain([head], rest) if head else rest
    taken = 0
    for piece in _unpacked(whole) if head.startswith(_MAGIC) else whole:
        taken += len(piece)
        if taken > most:
            raise TooLarge(
                f"Unpacked, the body has more than {most:,} bytes, the limit.",
                remedy="Send less at once.",
            )
        yield piece


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            waiting = chunk
            while waiting:
                if unpacker.eof:
                    # Several gzip files one after the other are one.
                    unpacker = zlib.decompressobj(_GZIP)
                yield unpacker.decompress(waiting, _PIECE)
                waiting = unpacker.unconsumed_tail or unpacker.unused_data
        while piece := unpacker.flush(_PIECE):
            yield piece
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if not unpacker.eof:
        raise _damaged("it is cut off")


def _damaged(why: str) -> BadInput:
    return BadInput(
        f"The body is not a whole gzip file: {why}.",
        remedy="Compress it again, or send it as it is.",
        code="bad_gzip",
    )
