"""How a run goes, while it goes: one line that is kept up to date, or a line now and then."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TextIO, cast

import numpy as np
import numpy.typing as npt

from engine.load.simulator import Simulator
from engine.schema import LoadProgress, Tier

LIVE_S, PLAIN_S = 0.5, 5.0


class Progress:
    """Tells of `simulator`; figures a second and percentiles are of the time since the last.

    `rate` is the plan's own, in requests a second.
    """

    def __init__(self, simulator: Simulator, rate: float = 0.0) -> None:
        self._simulator = simulator
        self._rate = rate
        self._at = 0.0
        self._sent = 0
        self._answered = 0
        self._failed = 0
        self._tiers: Counter[str] = Counter()

    def take(self) -> LoadProgress:
        """What came since the last time."""
        ledger, now = self._simulator.ledger, self._simulator.elapsed
        seconds = max(now - self._at, 1e-9)
        latest, hits = np.asarray(ledger.latency[self._answered :]), self._hits()
        late = np.asarray(ledger.lateness[self._sent :])
        p50, p99 = np.percentile(latest, (50, 99)).tolist() if latest.size else (None, None)
        taken = LoadProgress(
            at_s=now,
            rate=self._rate * self._simulator.tempo.speed,
            offered_per_s=(ledger.sent - self._sent) / seconds,
            answered_per_s=latest.size / seconds,
            errors_per_s=(ledger.failed - self._failed) / seconds,
            p50_s=p50,
            p99_s=p99,
            hit_rate=float(hits.mean()) if hits.size else None,
            tiers=cast("dict[Tier, int]", dict(ledger.tiers - self._tiers)),
            late_p99_s=float(np.percentile(late, 99)) if late.size else None,
            sent=ledger.sent,
            answered=ledger.answered,
            failed=ledger.failed,
            in_flight=ledger.in_flight,
        )
        self._at, self._sent, self._answered = now, ledger.sent, ledger.answered
        self._failed, self._tiers = ledger.failed, ledger.tiers.copy()
        return taken

    def _hits(self) -> npt.NDArray[np.float64]:
        latest = self._simulator.ledger.hit_rate[self._answered :]
        hits = np.asarray(latest, dtype=np.float64)
        return hits[~np.isnan(hits)]

    def line(self) -> str:
        now = self.take()
        return (
            f"{now.at_s:6.0f} s  {now.offered_per_s:6.1f}/s sent  "
            f"{now.answered_per_s:6.1f}/s answered  "
            f"p50 {(now.p50_s or 0) * 1e3:.0f} ms  p99 {(now.p99_s or 0) * 1e3:.0f} ms  "
            f"{now.failed} failed  {now.in_flight} in flight"
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
