"""What the engine has acknowledged, over all its lives."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.kills.ring import Ring

Probs = tuple[float, ...]
TOLERANCE = 1e-3
"""How far a probability may move with its batch mates."""


@dataclass
class Promises:
    """`vplms` are to be there, with at least that version; `gone` are not; `open` may be or not,
    for the engine was killed before it said. `answers` are those of vPLMs that nothing changes.

    Used by several threads, each of which changes what is its own alone.
    """

    vplms: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    answers: dict[str, Probs] = field(default_factory=dict)
    trainings: set[str] = field(default_factory=set)
    """Jobs that were accepted and have not been seen to end."""
    published: dict[int, str] = field(default_factory=dict)
    """Of the vPLM that others are promoted to: its versions' adapters."""
    ring: Ring = field(default_factory=Ring)
    epoch: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    """Calls that changed something and were answered, by the name that the audit log has for them;
    `audited` are those that were found there, up to the entry `entered`."""
    audited: Counter[str] = field(default_factory=Counter)
    entered: int = 0
    broken: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def asking(self, *vplms: str) -> Iterator[None]:
        """While a call that makes or removes `vplms` is under way nothing is promised of them."""
        with self.lock:
            self.open.update(vplms)
        yield
        with self.lock:
            self.open.difference_update(vplms)

    def answered(self, vplm: str, probs: Probs) -> None:
        """Broken if it is another answer than the first one was."""
        with self.lock:
            self.counts["answers"] += 1
            first = self.answers.setdefault(vplm, probs)
            if not alike(first, probs):
                self.broken.append(f"{vplm} answered {first} and now {probs}")

    def settle(self, there: set[str]) -> None:
        """Hold the engine to which vPLMs there are, and take those as they are now of which
        nothing was promised."""
        lost = set(self.vplms) - self.open - there
        back = (self.gone - self.open) & there
        self.broken += [f"{vplm} is lost" for vplm in sorted(lost)]
        self.broken += [f"{vplm} is back" for vplm in sorted(back)]
        for vplm in self.open:
            if vplm in there:
                self.vplms.setdefault(vplm, 1)
                self.gone.discard(vplm)
            else:
                self.vplms.pop(vplm, None)
                self.answers.pop(vplm, None)
        self.open.clear()


def alike(left: Probs, right: Probs) -> bool:
    return len(left) == len(right) and all(
        abs(a - b) <= TOLERANCE for a, b in zip(left, right, strict=True)
    )
