"""What the engine in memory answers about jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.client import NotFound
from engine.schema import Job, JobAccepted, JobPage, TrainRequest
from tests.hmi_tui.app.engine_documents import job
from tests.hmi_tui.app.scripted_engine.script import Script


@dataclass
class JobAnswers(Script):
    job_rows: list[Job] = field(default_factory=list)

    async def train(self, request: TrainRequest) -> JobAccepted:
        self._answer("train", request)
        self.job_rows.insert(0, job("new", request.vplm, "running", accuracy=[]))
        return JobAccepted(id="new")

    async def jobs(
        self, limit: int = 100, cursor: str | None = None, state: str | None = None
    ) -> JobPage:
        self._answer()
        return JobPage(data=self.job_rows[:limit], total=len(self.job_rows))

    async def job(self, id: str) -> Job:
        self._answer()
        for row in self.job_rows:
            if row.id == id:
                return row
        raise NotFound(f"There is no job {id}.")

    async def cancel_job(self, id: str) -> Job:
        self._answer("cancel_job", id)
        self.end_job(id, "cancelled")
        return await self.job(id)

    def end_job(self, id: str, state: str, **more: Any) -> None:
        self.job_rows = [
            row.model_copy(update={"state": state, "progress": 1.0, "message": "", **more})
            if row.id == id
            else row
            for row in self.job_rows
        ]
