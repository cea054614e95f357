"""How much more memory a piece of work takes at its peak than what was there before it."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

_EVERY_S = 0.005
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Watches this process's own memory (files that are mapped do not count), or the device's."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = self._most = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def extra(self) -> int:
        """Bytes at the peak beyond those at the beginning."""
        return max(0, self._most - self._before)

    def __enter__(self) -> Self:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            self._before = self._most = anonymous()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._device.type == "cuda":
            self._most = torch.cuda.max_memory_allocated(self._device)
        else:
            self._done.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._most = max(self._most, anonymous())


def anonymous() -> int:
    """Bytes of this process's memory that no file is behind."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0
