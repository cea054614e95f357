"""Jobs: training and rebuilding."""

from __future__ import annotations

from typing import Annotated

import anyio
from fastapi import APIRouter, Query

from engine.api.events import EventStream, job_frames
from engine.api.routes.paging import Cursor, Limit
from engine.api.seen import Engine
from engine.schema import Job, JobAccepted, JobPage, JobState, TrainRequest

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("", summary="List jobs, newest first")
def jobs(
    appliance: Engine,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> JobPage:
    return appliance.jobs(state=state, limit=limit, cursor=cursor)


@router.post("", status_code=202, summary="Train a vPLM")
def train(appliance: Engine, job: TrainRequest) -> JobAccepted:
    return appliance.train(job)


@router.get("/{job}", summary="One job: state, progress, loss and accuracy")
def job(appliance: Engine, job: str) -> Job:
    return appliance.job(job)


@router.delete("/{job}", summary="Cancel it")
def cancel_job(appliance: Engine, job: str) -> Job:
    return appliance.cancel_job(job)


@router.get(
    "/{job}/events",
    status_code=200,
    response_class=EventStream,
    summary="The job after each change",
)
async def job_events(appliance: Engine, job: str) -> EventStream:
    # Asked once before the stream begins, so that an unknown job is a 404.
    await anyio.to_thread.run_sync(appliance.job, job)
    return EventStream(job_frames(appliance, job))
