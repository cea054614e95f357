"""`hmi job`: trainings and rebuilds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect, flag
from hmi_tui.cli.output import instant, listing, percent, readable, record, show, table
from hmi_tui.cli.paging import gather
from hmi_tui.cli.watch import curve
from hmi_tui.figures import held_out, seconds

if TYPE_CHECKING:
    from engine.schema import Job, JobState

MATRICES = ("confusion", "classes")
"""Parts of a result that have lines of their own."""
STATES = ["queued", "running", "succeeded", "failed", "cancelled"]


@click.group(cls=Branch)
def job() -> None:
    """Jobs: trainings and rebuilds, running and done."""


@job.command()
@flag("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@flag("--limit", type=int, default=0, help="At most N; 0, the default, is all.")
@readable
def ls(state: JobState | None, limit: int) -> None:
    """List jobs, the newest first."""
    with connect() as client:
        found, total = gather(lambda n, c: client.jobs(n, c, state), limit)
    show(listing(found, total), [one.id for one in found], lambda: _table(found))


@job.command("show")
@click.argument("id")
@readable
def show_one(id: str) -> None:
    """Show one job."""
    with connect() as client:
        found = client.job(id)
    show(found, [found.id], lambda: record(_pairs(found)))


@job.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def cancel(ids: tuple[str, ...]) -> None:
    """Cancel jobs; what they were to replace stays as it is."""
    with connect() as client:
        for one in ids:
            click.echo(client.cancel_job(one).id)


@job.command()
@click.argument("id")
def logs(id: str) -> None:
    """Follow a job until it has ended: a line for each loss, accuracy and message."""
    teller = Teller()
    with connect() as client:
        for one in client.watch_job(id):
            for text in teller.news(one):
                click.echo(text)


class Teller:
    """Turns successive states of one job into the lines that are new."""

    def __init__(self) -> None:
        self._losses = 0
        self._accuracies = 0
        self._message = ""

    def news(self, job: Job) -> Iterator[str]:
        for point in job.loss[self._losses :]:
            yield f"step {point.step}  loss {point.value:.4f}"
        points = zip(job.accuracy, curve(job), strict=True)
        for point, said in list(points)[self._accuracies :]:
            yield f"step {point.step}  {job.measure} {said}"
        self._losses, self._accuracies = len(job.loss), len(job.accuracy)
        if job.message and job.message != self._message:
            self._message = job.message
            yield job.message
        if job.ended:
            yield job.state if job.error is None else f"{job.state}: {job.error}"


def _table(jobs: Sequence[Job]) -> str:
    return table(
        ("JOB", "TYPE", "SUBJECT", "STATE", ">PROGRESS", ">ACCURACY", "CREATED", "MESSAGE"),
        (
            (
                one.id,
                one.type,
                one.subject,
                one.state,
                f"{one.progress:.0%}",
                held_out(
                    one.accuracy[-1].value if one.accuracy else None,
                    one.perplexity[-1].value if one.perplexity else None,
                ),
                instant(one.created_at),
                one.message,
            )
            for one in jobs
        ),
    )


def _pairs(one: Job) -> Iterator[tuple[str, str]]:
    yield "id", one.id
    yield "type", one.type
    yield "subject", one.subject
    yield "state", one.state
    yield "progress", f"{one.progress:.0%}"
    yield "time left", seconds(one.eta_s)
    yield "message", one.message
    if one.error:
        yield "error", one.error
    if one.loss:
        yield "loss", f"{one.loss[-1].value:.4f} at step {one.loss[-1].step}"
    if one.accuracy:
        yield one.measure, ", ".join(curve(one))
    for name, value in one.params.items():
        yield f"asked {name}", str(value)
    for name, value in one.result.items():
        if name not in MATRICES:
            yield f"result {name}", str(value)
    if (confused := one.confusion) is not None:
        for label, counts in zip(confused.labels, confused.counts, strict=True):
            wrong = {confused.labels[i]: n for i, n in enumerate(counts) if n}
            yield f"held out {label}", ", ".join(f"{n} as {taken}" for taken, n in wrong.items())
    for each in one.classes:
        shares = (each.precision, each.recall, each.f1)
        words = zip(("precision", "recall", "F1"), map(percent, shares), strict=True)
        told = ", ".join(f"{word} {share}" for word, share in words)
        yield f"class {each.label}", f"{told}, of {each.support} held-out rows"
    yield "created", instant(one.created_at)
    yield "started", instant(one.started_at)
    yield "finished", instant(one.finished_at)
