"""What the appliance answers about jobs."""

from __future__ import annotations

from engine.schema import Job, JobAccepted, JobPage, TrainRequest
from tests.engine.api.scripted.script import Script

JOB = Job(
    id="j1",
    type="train",
    subject="acme/polarity",
    state="running",
    progress=0.5,
    eta_s=1.0,
    message="training",
    params={},
    loss=[],
    accuracy=[],
    error=None,
    result={},
    created_at=1.0,
    started_at=1.0,
    finished_at=None,
)


class JobAnswers(Script):
    def _script(self) -> None:
        super()._script()
        self.job_now = JOB

    def train(self, request: TrainRequest) -> JobAccepted:
        self._do("train", request)
        return JobAccepted(id="j1")

    def jobs(
        self, state: str | None, limit: int, cursor: str | None, tenant: str | None = None
    ) -> JobPage:
        self._do("jobs", state, limit, cursor, *([] if tenant is None else [tenant]))
        return JobPage(data=[self.job_now], total=1)

    def job(self, id: str) -> Job:
        self._do("job", id)
        return self.job_now

    def cancel_job(self, id: str) -> Job:
        self._do("cancel_job", id)
        return self.job_now
