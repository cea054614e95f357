"""Reading from disk into the host tier: ahead of need, in the order of wanting, each once.

A few threads read what accepted requests want. A batch that needs an adapter at once reads it
itself, or joins whoever reads it already. No lock is held while a file is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from engine.memory.claims import Claims
from engine.memory.counters import Move
from engine.memory.host import HostTier
from engine.model.adapters import AdapterWeights
from engine.process import without_frames

READERS = 4
"""Threads that read ahead. More than one, so that a file that is slow to come holds up no other."""


class AdapterSource(Protocol):
    """The disk tier: reads one whole adapter or raises an error that names it. Thread-safe."""

    def read(self, adapter: str) -> AdapterWeights: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Under way. `expected` bytes of the host tier are set aside for it; None: not ahead."""

    expected: int | None = None
    weights: Future[AdapterWeights] = field(default_factory=Future)


class Loader:
    """Call `fetch` without `lock`, and everything else with it."""

    def __init__(
        self,
        source: AdapterSource,
        host: HostTier,
        claims: Claims,
        lock: threading.Lock,
        settle: Callable[[str], None],
        tell: Callable[[], None],
        moved: Callable[[Move], None],
    ) -> None:
        """`settle` (called with the lock) hears of what came into the host tier; `tell` (called
        without) that something may have stopped loading, and `moved` of every read."""
        self._source = source
        self._host = host
        self._claims = claims
        self._lock = lock
        self._settle = settle
        self._tell = tell
        self._moved = moved
        self._line: dict[str, None] = {}
        self._reads: dict[str, _Read] = {}
        self._failed: dict[str, Exception] = {}
        self._ahead = 0
        self._typical = 0
        """Bytes of the last adapter that was read."""
        self._closed = False
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="adapter-reader")
        self.news = False
        """Whether an adapter has stopped loading since somebody last looked."""

    @property
    def waiting(self) -> int:
        return len(self._line)

    def loading(self, adapter: str) -> bool:
        """Whether it waits to be read or is being read."""
        return adapter in self._line or adapter in self._reads

    def line_up(self, adapter: str) -> None:
        """Read it when its turn comes, unless it is here. What failed before is tried again."""
        self._failed.pop(adapter, None)
        if adapter not in self._host and adapter not in self._reads and not self._closed:
            self._line.setdefault(adapter)
            self.go_on()

    def cancel(self, adapter: str) -> None:
        """Nobody wants it any more."""
        self._failed.pop(adapter, None)
        if self._leave(adapter):
            self._host.counters = self._host.counters.plus(cancelled=1)

    def forget(self, adapter: str) -> None:
        """It is gone from the disk: what is read of it now is not kept."""
        self._failed.pop(adapter, None)
        self._leave(adapter)
        self.news |= self._reads.pop(adapter, None) is not None

    def go_on(self) -> None:
        """Begin as many reads as there are threads and room for."""
        while self._line and self._ahead < READERS:
            adapter = next(iter(self._line))
            size = self._typical
            if self._host.expect(size):
                del self._line[adapter]
                self._ahead += 1
                read = self._reads[adapter] = _Read(size)
                self._host.counters = self._host.counters.plus(prefetched=1)
                self._threads.submit(self._read, adapter, read)
            elif self._host.hopeless(size):
                # Whoever serves it reads it himself, and it passes by the host tier.
                self._leave(adapter)
            else:
                return

    def close(self) -> None:
        """Read nothing ahead any more."""
        self._closed = True
        self.news |= bool(self._line)
        self._line.clear()
        self._threads.shutdown(wait=False)

    def fetch(self, adapter: str) -> AdapterWeights:
        """The adapter for a batch, from the host tier, from whoever reads it, or from disk."""
        with self._lock:
            weights = self._host.take(adapter)
            if weights is not None:
                return weights
            if adapter in self._failed:
                raise self._failed[adapter]
            read = self._reads.get(adapter)
            mine = read is None
            if read is None:
                self._leave(adapter)
                read = self._reads[adapter] = _Read()
        if mine:
            self._read(adapter, read)
        weights = read.weights.result()
        if not mine:
            with self._lock:
                self._host.used(adapter)
        return weights

    def _read(self, adapter: str, read: _Read) -> None:
        began = time.perf_counter()
        try:
            weights = self._source.read(adapter)
        except Exception as error:  # noqa: BLE001 - whoever needs the adapter hears of it
            with self._lock:
                if self._end(adapter, read) and self._claims.wanted(adapter):
                    self._failed[adapter] = error
                self.go_on()
            read.weights.set_exception(without_frames(error))
        else:
            seconds = time.perf_counter() - began
            with self._lock:
                current = self._end(adapter, read)
                self._arrive(adapter, read, weights, seconds, current)
                self.go_on()
            read.weights.set_result(weights)
            self._moved(Move("host", adapter, began, seconds, weights.nbytes))
        self._tell()

    def _end(self, adapter: str, read: _Read) -> bool:
        """The read is over; whether it was not forgotten meanwhile."""
        self.news = True
        if read.expected is not None:
            self._host.expect_no_more(read.expected)
            self._ahead -= 1
        if self._reads.get(adapter) is not read:
            return False
        del self._reads[adapter]
        return True

    def _arrive(
        self, adapter: str, read: _Read, weights: AdapterWeights, seconds: float, current: bool
    ) -> None:
        host, ahead = self._host, read.expected is not None
        self._typical = weights.nbytes
        needed = current and self._claims.needed(adapter)
        if current and host.keep(adapter, weights, evict=needed, ahead=ahead):
            self._settle(adapter)
        host.counters = host.counters.plus(
            seconds,
            misses=1,
            bytes_moved=weights.nbytes,
            cancelled=int(ahead and not needed),
        )

    def _leave(self, adapter: str) -> bool:
        """Out of the line; whether it was in it."""
        if adapter not in self._line:
            return False
        del self._line[adapter]
        self.news = True
        return True
