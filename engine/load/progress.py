"""How a run goes, while it goes: one line that is kept up to date, or a line now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TextIO

import numpy as np

from engine.load.simulator import Simulator

LIVE_S, PLAIN_S = 0.5, 5.0


class Progress:
    """Tells of `simulator`; figures a second and percentiles are of the time since the last."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._at = 0.0
        self._sent = 0
        self._answered = 0

    def line(self) -> str:
        ledger, now = self._simulator.ledger, self._simulator.elapsed
        seconds = max(now - self._at, 1e-9)
        sent = (ledger.sent - self._sent) / seconds
        latest = np.asarray(ledger.latency[self._answered :])
        p50, p99 = np.percentile(latest, (50, 99)) * 1e3 if latest.size else (0.0, 0.0)
        self._at, self._sent, self._answered = now, ledger.sent, ledger.answered
        return (
            f"{now:6.0f} s  {sent:6.1f}/s sent  {latest.size / seconds:6.1f}/s answered  "
            f"p50 {p50:.0f} ms  p99 {p99:.0f} ms  {ledger.failed} failed  "
            f"{ledger.in_flight} in flight"
        )


async def tell(simulator: Simulator, out: TextIO) -> None:
    """Until cancelled; on a terminal one line that changes."""
    progress, live = Progress(simulator), out.isatty()
    show = _rewriter(out) if live else _writer(out)
    try:
        while True:
            await asyncio.sleep(LIVE_S if live else PLAIN_S)
            show(progress.line())
    finally:
        if live:
            out.write("\r\x1b[K")
            out.flush()


def _rewriter(out: TextIO) -> Callable[[str], None]:
    def show(line: str) -> None:
        out.write(f"\r{line}\x1b[K")
        out.flush()

    return show


def _writer(out: TextIO) -> Callable[[str], None]:
    def show(line: str) -> None:
        out.write(f"{line}\n")
        out.flush()

    return show
