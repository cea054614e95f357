"""Lower-layer outputs on disk, so that jobs on the same rows share them and none holds them.

One file holds the states of one dataset's texts, obtained in one way, float16, text after text.
It gets its name when it is whole. Whoever has it open may read on when it has been removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from store.files import temporary

SUFFIX = ".states"


class StateFile:
    """The states (T_i, H) float16 of the texts `texts`, which have `lengths` tokens."""

    def __init__(self, path: Path, texts: Sequence[int], lengths: Sequence[int], hidden: int):
        """OSError if it is not there."""
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # The oldest go first; one that is used again is young.
        os.utime(path)
        self._hidden = hidden
        self._at: dict[int, tuple[int, int]] = {}
        at = 0
        for text, length in zip(texts, lengths, strict=True):
            self._at[text] = (at, length)
            at += 2 * hidden * length

    def __contains__(self, text: int) -> bool:
        return text in self._at

    def __len__(self) -> int:
        return len(self._at)

    def read(self, text: int) -> Tensor:
        """(T_i, H) float16 of one text."""
        at, length = self._at[text]
        states = torch.empty(length, self._hidden, dtype=torch.float16)
        # Read, not mapped: the pages belong to the system's cache, not to this process.
        os.preadv(self._handle, [states.numpy().data], at)
        return states

    def close(self) -> None:
        os.close(self._handle)


def write_states(path: Path, states: Iterable[Tensor]) -> None:
    """Put `states` (float16) one after the other at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = temporary(path.parent)
    try:
        with unfinished.open("wb") as file:
            for state in states:
                file.write(state.contiguous().numpy().data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def trim(folder: Path, budget: int) -> int:
    """Remove the least recently used files beyond `budget` bytes; how many went."""
    found = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    spent = removed = 0
    for path in found:
        spent += path.stat().st_size
        if spent > budget:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
