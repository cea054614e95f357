"""Reads the engine's state, one fetch at a time, and turns every failure into a state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from engine.client import AsyncClient, EngineNotRunning, HmiError, Unavailable
from engine.schema import Job, Status
from hmi_tui.snapshot import KEPT_RATES, Link, Snapshot

Look = Callable[[AsyncClient], Awaitable[object]]
"""What a screen reads for itself at a tick."""

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
            self.latest = self._without("starting", error.detail)
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
        self.failure = None
        rates = (*self.latest.rates, status.rates)[-KEPT_RATES:]
        return Snapshot("up", "", "", status, self.clock(), rates, detail)

    def _absent(self, error: EngineNotRunning) -> Snapshot:
        if self.starting is not None:
            return self._without("starting", self.starting)
        if self.failure is not None:
            return self._without("failed", self.failure.detail, self.failure.remedy)
        return self._without("lost", error.detail, error.remedy)

    def _without(self, link: Link, reason: str, remedy: str = "") -> Snapshot:
        return replace(self.latest, link=link, reason=reason, remedy=remedy, detail=None)
