"""Steps that are told as they begin, with the seconds that each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    seconds: float


class Steps:
    """Tells every step through `say`, stamped with the seconds since the first."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.done: list[Step] = []
        self._say = say
        self._start = time.perf_counter()

    def tell(self, line: str) -> None:
        self._say(f"[{time.perf_counter() - self._start:6.1f} s] {line}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What happens inside is the step `name`."""
        self.tell(name)
        began = time.perf_counter()
        yield
        self.done.append(Step(name, time.perf_counter() - began))
