"""The machine's memory, cores and disk, and the engine's share of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.schema import HostStatus

FRESH_S = 0.5


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    cpu: float
    total_bytes: int
    used_bytes: int
    engine_bytes: int
    engine_cpu: float
    disk_free_bytes: int


class HostSampler:
    """Reads the host at most twice a second, however many ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._process = psutil.Process()
        self._cores = len(os.sched_getaffinity(0))
        self._latest: _Reading | None = None
        # Both count from the call before; the first one only starts the count.
        psutil.cpu_percent()
        self._process.cpu_percent()

    def sample(self, by_owner: dict[str, int], threads: int, data: Path) -> HostStatus:
        """`by_owner` are bytes whose owner the engine knows, `data` a path on the disk meant."""
        with self._lock:
            reading = self._latest
            if reading is None or self._clock() - reading.at >= FRESH_S:
                reading = self._latest = self._read(data)
        return HostStatus(
            cores=self._cores,
            threads=threads,
            cpu=reading.cpu,
            total_bytes=reading.total_bytes,
            used_bytes=reading.used_bytes,
            engine_bytes=reading.engine_bytes,
            engine_cpu=reading.engine_cpu,
            disk_free_bytes=reading.disk_free_bytes,
            by_owner=by_owner,
        )

    def _read(self, data: Path) -> _Reading:
        memory = psutil.virtual_memory()
        engine_cpu = self._process.cpu_percent() / 100 / self._cores
        return _Reading(
            at=self._clock(),
            cpu=psutil.cpu_percent() / 100,
            total_bytes=memory.total,
            used_bytes=memory.total - memory.available,
            engine_bytes=self._process.memory_info().rss,
            engine_cpu=min(1.0, engine_cpu),
            disk_free_bytes=psutil.disk_usage(str(_existing(data))).free,
        )


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that is there already."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
