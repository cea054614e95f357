"""Counting what is odd in a dataset while its rows go by: repeated, contradicting, too long."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from store.dataset_files import Example, Target, Text

_TOGETHER = 64
"""Texts that are read together to see how long they are."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows that say again what an earlier one said; rows whose text also stands with another
    label; texts longer than the backbone reads."""

    duplicates: int
    conflicts: int
    too_long: int


class Census:
    """Lets rows pass and remembers 12 bytes of each: enough to tell, in the end, what is odd.

    Two texts count as one if their 64-bit hashes agree, which among ten million happens by chance
    in one dataset of 370,000.
    """

    def __init__(self, may_be_long: int, are_long: Callable[[Sequence[Text]], int]) -> None:
        """Texts of up to `may_be_long` characters cannot be too long; `are_long` counts those of
        the others that are."""
        self._may_be_long = may_be_long
        self._are_long = are_long
        self._texts = array("q")
        self._labels = array("i")
        self._numbers: dict[Target, int] = {}
        self._doubtful: list[Text] = []
        self._too_long = 0

    def over(self, rows: Iterable[Example]) -> Iterator[Example]:
        """The rows of (text, target), unchanged."""
        for text, label in rows:
            self._texts.append(hash(text))
            self._labels.append(self._numbers.setdefault(label, len(self._numbers)))
            # Between two texts stands one token more.
            length = len(text) if isinstance(text, str) else len(text[0]) + len(text[1]) + 1
            if length > self._may_be_long:
                self._doubtful.append(text)
                if len(self._doubtful) == _TOGETHER:
                    self._read_doubtful()
            yield text, label

    def counted(self) -> Counted:
        """Of the rows that have gone by."""
        self._read_doubtful()
        texts, labels = np.array(self._texts), np.array(self._labels)
        if not len(texts):
            return Counted(0, 0, 0)
        order = np.lexsort((labels, texts))
        texts, labels = texts[order], labels[order]
        fresh_text = np.append(True, texts[1:] != texts[:-1])
        fresh = fresh_text | np.append(True, labels[1:] != labels[:-1])
        starts = np.flatnonzero(fresh_text)
        rows = np.diff(np.append(starts, len(texts)))
        several = np.add.reduceat(fresh, starts) > 1
        return Counted(int((~fresh).sum()), int(rows[several].sum()), self._too_long)

    def _read_doubtful(self) -> None:
        self._too_long += self._are_long(self._doubtful) if self._doubtful else 0
        self._doubtful.clear()
