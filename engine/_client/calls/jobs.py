"""Calls about jobs, and about the datasets that training reads."""

from __future__ import annotations

from pathlib import Path

from engine._client import uploads
from engine._client.ask import Asks, Follows
from engine._client.call import Call, Stream, json_body, query, reader, segment
from engine.schema import DatasetReceipt, Job, JobAccepted, JobPage, Task, TrainRequest


class JobCalls:
    @Asks
    @staticmethod
    def put_dataset(
        tenant: str,
        name: str,
        path: Path,
        text: str = "text",
        label: str = "label",
        task: Task = "classify",
        text_pair: str = "text_pair",
    ) -> Call[DatasetReceipt]:
        """Stream a .jsonl, .json or .csv file, or one with .gz; columns `text` and `label`, and
        `text_pair` where `task` reads two texts."""
        return Call(
            "PUT",
            f"/v1/tenants/{segment(tenant)}/datasets/{segment(name)}",
            reader(DatasetReceipt),
            query(
                format=uploads.dataset_format(path),
                text=text,
                label=label,
                task=None if task == "classify" else task,
                text_pair=None if text_pair == "text_pair" else text_pair,
            ),
            chunks=uploads.file_chunks(path),
            content_type="application/octet-stream",
            slow=True,
        )

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
