"""Calls about jobs."""

from __future__ import annotations

from engine._client.ask import Asks, Follows
from engine._client.call import Call, Stream, json_body, query, reader, segment
from engine.schema import Job, JobAccepted, JobPage, TrainRequest


class JobCalls:
    @Asks
    @staticmethod
    def train(request: TrainRequest) -> Call[JobAccepted]:
        return Call("POST", "/v1/jobs", reader(JobAccepted), content=json_body(request))

    @Asks
    @staticmethod
    def jobs(
        limit: int = 100, cursor: str | None = None, state: str | None = None
    ) -> Call[JobPage]:
        """Newest first."""
        params = query(limit=limit, cursor=cursor, state=state)
        return Call("GET", "/v1/jobs", reader(JobPage), params)

    @Asks
    @staticmethod
    def job(id: str) -> Call[Job]:
        return Call("GET", f"/v1/jobs/{segment(id)}", reader(Job))

    @Asks
    @staticmethod
    def cancel_job(id: str) -> Call[Job]:
        return Call("DELETE", f"/v1/jobs/{segment(id)}", reader(Job))

    @Follows
    @staticmethod
    def job_events(id: str) -> Stream[Job]:
        """The job now and after each change, as long as the connection holds; see watch_job."""
        return Stream(f"/v1/jobs/{segment(id)}/events", Job.model_validate_json)
