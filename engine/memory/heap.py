"""Keeping the process as small as what it holds.

glibc keeps freed memory in an arena for each thread. A training job frees a gigabyte of small
tensors into them, and the API's worker threads each hold on to some; without these two calls an
engine that holds one gigabyte was seen to occupy four.
"""

from __future__ import annotations

import ctypes
import functools

_ARENA_MAX = -8
_ARENAS = 4


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is one that has these calls."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
    except OSError:
        return None


def bound_arenas() -> None:
    """Let all threads share a few arenas. Call before threads start; elsewhere it does nothing."""
    if (library := _glibc()) is not None:
        library.mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return freed memory to the system; after large work, not on the hot path."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)
