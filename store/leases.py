"""Who may remove a file: not while somebody is storing the same and the catalogue has yet to know.

A file is stored first and entered in the catalogue after. Between the two nothing refers to it, and
if its content was there already, somebody else may just be letting go of it. So whoever stores
keeps a lease until the row is there, and whoever removes asks here, name by name, and then the
catalogue: in that order and under one lock, for a lease ends only when the row is there.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Leases:
    """Leases on names, of threads that are inside `keeping`. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._collecting = threading.Lock()
        self._held: Counter[str] = Counter()
        self._spared: set[str] | None = None
        self._threads = threading.local()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Names that this thread takes inside stay its own to the end of the block."""
        outer: Counter[str] | None = getattr(self._threads, "names", None)
        names: Counter[str] = Counter()
        self._threads.names = names
        try:
            yield
        finally:
            self._threads.names = outer
            with self._lock:
                self._held -= names

    @contextmanager
    def taking(self, name: str) -> Iterator[None]:
        """A lease on `name`, before it is looked at or made. Nobody removes it inside the block,
        nor, if this thread is inside `keeping`, until that ends."""
        with self._lock:
            names: Counter[str] | None = getattr(self._threads, "names", None)
            if names is not None:
                names[name] += 1
                self._held[name] += 1
            if self._spared is not None:
                self._spared.add(name)
            yield

    @contextmanager
    def removing(self, name: str) -> Iterator[bool]:
        """Whether nobody else holds `name`; nobody can take it inside the block."""
        with self._lock:
            own: Counter[str] = getattr(self._threads, "names", None) or Counter()
            yield self._held[name] <= own[name]

    @contextmanager
    def collecting(self, known: Callable[[], set[str]]) -> Iterator[Callable[[str], bool]]:
        """A question to ask of each name, inside `removing`: whether it is garbage. `known` is
        asked once, for all names that the catalogue has.

        What was taken before the catalogue was asked may not be in its answer; what is taken
        since is not either. Both are spared.
        """
        with self._collecting:
            with self._lock:
                self._spared = spared = set(self._held)
            try:
                kept = known()
                yield lambda name: name not in kept and name not in spared
            finally:
                with self._lock:
                    self._spared = None
