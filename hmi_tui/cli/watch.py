"""Follow a job: one line redrawn in a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import say
from hmi_tui.cli.output import percent
from hmi_tui.figures import seconds

if TYPE_CHECKING:
    from engine.client import Client
    from engine.schema import Job

STEP = 0.1
"""Progress between two plain lines."""


def watch(client: Client, id: str) -> Job:
    """Show the job until it has ended. Raises HmiError if it failed, Cancelled if cancelled."""
    narrator = Redrawn() if sys.stderr.isatty() else Plain()
    try:
        job = _tell_all(client.watch_job(id), narrator)
    except KeyboardInterrupt:
        say(f"The job goes on; hmi job cancel {id} ends it.")
        raise
    return succeeded(job or client.job(id))


def _tell_all(jobs: Iterable[Job], narrator: Redrawn | Plain) -> Job | None:
    last = None
    try:
        for last in jobs:
            narrator.tell(last)
    finally:
        narrator.close()
    return last


def succeeded(job: Job) -> Job:
    """The job, or the error that it ended with, raised."""
    from engine.client import Cancelled, HmiError

    if job.state == "cancelled":
        raise Cancelled(f"Job {job.id} ({job.type} of {job.subject}) was cancelled.")
    if job.state == "failed":
        raise HmiError(
            f"Job {job.id} ({job.type} of {job.subject}) failed: {job.error or job.message}",
            remedy="hmi logs may say more.",
            code="job_failed",
        )
    return job


def curve(job: Job) -> list[str]:
    """What held-out rows said after each epoch, in words."""
    if job.perplexity:
        return [f"{point.value:.2f}" for point in job.perplexity]
    return [percent(point.value) for point in job.accuracy]


def line(job: Job) -> str:
    """The job at this moment in one line."""
    parts = [f"{job.type} {job.subject}", job.state, f"{job.progress:4.0%}"]
    if job.loss:
        parts.append(f"loss {job.loss[-1].value:.4f}")
    if job.accuracy:
        parts.append(f"{job.measure} {curve(job)[-1]}")
    if job.eta_s is not None and not job.ended:
        parts.append(f"{seconds(job.eta_s)} left")
    if job.message:
        parts.append(job.message)
    return "  ".join(parts)


class Plain:
    """A line when something is worth one: another state, a tenth further, another accuracy."""

    def __init__(self) -> None:
        self._told: tuple[object, ...] = ()

    def tell(self, job: Job) -> None:
        news = (job.state, int(job.progress / STEP), len(job.accuracy))
        if news != self._told:
            self._told = news
            say(line(job))

    def close(self) -> None:
        return


class Redrawn:
    """One line that is written over; cut to the terminal's width, for a wrapped one stays."""

    def tell(self, job: Job) -> None:
        import shutil

        text = line(job)[: shutil.get_terminal_size().columns - 1]
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    def close(self) -> None:
        click.echo(err=True)
