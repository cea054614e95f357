"""Disks and threads that do what a test tells them, when it tells them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from engine.errors import Damaged
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterWeights

DEADLINE_S = 20.0


class Disk:
    """Notes what is read; fails for what is `broken` and stops before what is behind a gate."""

    def __init__(self, kept: dict[str, AdapterWeights]) -> None:
        self.kept = kept
        self.broken: set[str] = set()
        self.gates: dict[str, threading.Event] = {}
        self.reached = threading.Semaphore(0)
        """Released whenever a reader comes to a gate."""
        self.read_names: list[str] = []

    def read(self, adapter: str) -> AdapterWeights:
        self.read_names.append(adapter)
        gate = self.gates.get(adapter)
        if gate is not None:
            self.reached.release()
            assert gate.wait(DEADLINE_S)
        if adapter in self.broken or adapter not in self.kept:
            raise Damaged(f"Adapter {adapter} is not usable.")
        return self.kept[adapter]


class ByHand(Executor):
    """Runs what was submitted when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Callable[[], object]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.waiting.append((str(args[0]), lambda: fn(*args, **kwargs)))
        return Future()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.waiting]

    def run(self, *names: str) -> None:
        """Let the reads of `names` happen."""
        for name in names:
            at = self.names.index(name)
            self.waiting.pop(at)[1]()

    def run_all(self) -> None:
        """Let all reads happen, and those that begin because of them."""
        while self.waiting:
            self.run(*self.names)


def by_hand(tiers: AdapterTiers) -> ByHand:
    """Take the reading threads of `tiers` in hand."""
    threads = tiers._loader._threads = ByHand()  # type: ignore[assignment]
    return threads
