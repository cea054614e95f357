"""Reads the engine's state, one fetch at a time, and turns every failure into a state."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from engine.client import (
    VERSION,
    AsyncClient,
    EngineNotRunning,
    HmiError,
    QueueFull,
    Unavailable,
)
from engine.schema import Job, Status
from hmi_tui.snapshot import KEPT_RATES, Link, Snapshot
from hmi_tui.versions import remedy_for

Look = Callable[[AsyncClient], Awaitable[object]]
"""What a screen reads for itself at a tick."""

REFUSALS_S = 10.0
"""How long a refused request counts as news."""

FOR_WANT_OF_ROOM = ("queue_full", "slo_unattainable")
"""Refusals that say something of the engine; those by quota are the tenant's own."""

PATIENCE = 5.0
"""Seconds without an answer after which the engine is called silent."""


class Feed:
    """Holds the newest snapshot. `read` never raises an HmiError; it says so in the snapshot."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self.client = client
        self.clock = clock
        self.patience = patience
        self.latest = Snapshot()
        self.starting: str | None = None
        """Set while the engine is being started: what it is doing."""
        self.failure: HmiError | None = None
        """Why the last start failed."""
        self.loss = ""
        """How the engine was lost, where that is known."""
        self._refusals: deque[tuple[float, int]] = deque()
        """Totals since the engine's start, with when they were read."""

    @property
    def age(self) -> float:
        """Seconds since the status that is shown was read."""
        return self.clock() - self.latest.read_at if self.latest.status else 0.0

    async def read(self, look: Look | None = None) -> Snapshot:
        """Ask the engine for its status and for what `look` wants; the new snapshot."""
        try:
            async with asyncio.timeout(self.patience):
                status = await self.client.status()
                detail = await look(self.client) if look and status.engine.ready else None
        except EngineNotRunning as error:
            self.latest = self._absent(error)
        except Unavailable as error:
            self.latest = await self._unavailable(error)
        except QueueFull as error:
            self.latest = self._without("busy", error.detail, error.remedy)
        except TimeoutError:
            self.latest = self._without("silent", "The engine does not answer.")
        except HmiError as error:
            self.latest = self._without("silent", error.detail, error.remedy)
        else:
            self.latest = self._present(status, detail)
        return self.latest

    async def ended(self, before: Snapshot) -> list[Job]:
        """The jobs that were under way in `before` and are no longer."""
        now = self.latest
        if before.status is None or now.status is None or not now.up:
            return []
        if before.status.engine.pid != now.status.engine.pid:
            return []
        running = {job.id for job in now.status.jobs}
        gone = [job.id for job in before.status.jobs if job.id not in running]
        jobs = []
        for job_id in gone:
            try:
                jobs.append(await self.client.job(job_id))
            except HmiError:
                continue
        return [job for job in jobs if job.ended]

    def _present(self, status: Status, detail: object) -> Snapshot:
        self.failure, self.loss = None, ""
        rates = (*self.latest.rates, status.rates)[-KEPT_RATES:]
        return Snapshot("up", "", "", status, self.clock(), rates, detail, self._refused(status))

    def _refused(self, status: Status) -> int:
        counts = status.queue.refused or {}
        total, now = sum(counts.get(reason, 0) for reason in FOR_WANT_OF_ROOM), self.clock()
        if self._refusals and self._refusals[-1][1] > total:
            self._refusals.clear()  # another engine counts from the start
        self._refusals.append((now, total))
        while now - self._refusals[0][0] > REFUSALS_S:
            self._refusals.popleft()
        return total - self._refusals[0][1]

    async def _unavailable(self, error: Unavailable) -> Snapshot:
        """Starting, unless it does answer and what it says cannot be read or comes too late."""
        if error.code == "timeout":
            return self._without("silent", error.detail, error.remedy)
        if error.code != "unreadable_answer":
            return self._without("starting", error.detail)
        try:
            async with asyncio.timeout(self.patience):
                theirs = (await self.client.version()).version
        except (HmiError, TimeoutError):
            return self._without("silent", error.detail, error.remedy)
        said = f"The engine is version {theirs}, this application {VERSION}: they do not match."
        return self._without("foreign", said, remedy_for(theirs))

    def _absent(self, error: EngineNotRunning) -> Snapshot:
        if self.starting is not None:
            return self._without("starting", self.starting)
        if self.failure is not None:
            return self._without("failed", self.failure.detail, self.failure.remedy)
        return self._without("lost", self.loss, error.remedy)

    def _without(self, link: Link, reason: str, remedy: str = "") -> Snapshot:
        return replace(self.latest, link=link, reason=reason, remedy=remedy, detail=None)
