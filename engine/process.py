"""How a process that serves treats what it has: freed memory is kept, what stays is left alone,
errors let go of what they came through, the interpreter changes hands quickly, and texts are
tokenised by whoever asks."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import TypeVar

from engine.errors import HmiError
from store.errors import StoreError

E = TypeVar("E", bound=Exception)

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT = 1 << 30
_LARGEST = 32 << 20
"""The most that glibc takes for the mmap threshold."""
_TOP_PAD = 8 << 20
_YOUNG = 20_000
_TURN_S = 1e-4


def keep_freed_memory() -> bool:
    """Let the C allocator reuse what a batch frees instead of giving it back to the system.

    A batch's tensors are large enough for glibc to map each one afresh, and the first touch of a
    new page costs more than what is computed in it. False where there is no such allocator.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = (
        (_M_MMAP_THRESHOLD, _LARGEST),
        (_M_TRIM_THRESHOLD, _KEPT),
        (_M_TOP_PAD, _TOP_PAD),
    )
    return all(mallopt(name, value) == 1 for name, value in settings)


def load_without_rounds() -> None:
    """Stop the garbage collector's rounds while a process begins: a fifth of the time that its
    libraries take to load, for nothing is garbage yet. `leave_settled_objects` ends it."""
    gc.disable()


def leave_settled_objects() -> None:
    """Take all objects that are there now out of the garbage collector's rounds, and let it look
    at the young ones less often: ten thousand vPLMs are a large heap to walk for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
    gc.enable()


def without_frames(error: E) -> E:
    """`error`, of those that say in words what is wrong, without its tracebacks.

    A traceback holds the frames that the error came through, and these what they worked on: a
    batch and its tables. Whoever keeps the error would keep them too; a frame that keeps it itself
    closes a ring, which only the rarest round of the collector finds. An error that nobody foresaw
    stays as it is, for the log.
    """
    at: BaseException | None = error if isinstance(error, HmiError | StoreError) else None
    while at is not None:
        at.__traceback__ = None
        at = at.__cause__ or at.__context__
    return error


def take_short_turns() -> None:
    """Let threads wait a tenth of a millisecond, not five, for one that holds the interpreter.

    Computing gives it up at every tensor operation and wants it back for the next. Beside an event
    loop that is busy a third of the time, default turns make a batch take three times as long.
    """
    sys.setswitchinterval(_TURN_S)


def tokenise_in_the_callers_thread() -> None:
    """Keep the tokenizers' own team of threads out of this process and those it starts.

    The team has the usual priority, whoever asks. A rebuild's thread has the lowest, and its corpus
    on a team of its own took a third of the processor from what was being computed for clients. A
    TOKENIZERS_PARALLELISM that is set already stays.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
