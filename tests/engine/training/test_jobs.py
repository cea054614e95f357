from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadInput, Cancelled, NotFound, Unavailable
from engine.serving.threads import ThreadShare
from engine.training import jobs as module
from engine.training.job import JobContext, Run
from engine.training.jobs import Jobs
from store.catalogue import Catalogue
from store.errors import NoSpace
from store.rows import JobRow
from tests.engine.appliance.small import until


class Office:
    """Jobs on a catalogue of their own, and what was heard of them."""

    def __init__(self, path: Path) -> None:
        self.catalogue = Catalogue(path)
        self.idle = False
        self.heard: list[tuple[str, str]] = []
        self.ended: list[tuple[str, str]] = []
        self.jobs = Jobs(
            self.catalogue.jobs,
            ThreadShare(1),
            lambda: self.idle,
            lambda row, _: self.heard.append((row.id, row.state)),
            lambda kind, state: self.ended.append((kind, state)),
        )

    def submit(self, run: Run, *, when_idle: bool = False) -> str:
        return self.jobs.submit("train", "acme/a", {"lr": 1}, run, when_idle=when_idle)

    def row(self, job: str) -> JobRow:
        return self.catalogue.jobs.get(job)

    def wait(self, job: str, state: str) -> JobRow:
        until(lambda: self.row(job).state == state, f"{job} {state}")
        until(lambda: self.jobs.context(job) is None or state == "running", "the end")
        return self.row(job)


class Held:
    """A job that runs until it is let go or cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, context: JobContext) -> dict[str, Any]:
        self.begun.set()
        until(lambda: self.go.is_set() or context.cancelled(), "leave to go on")
        if context.cancelled():
            raise Cancelled("The job was cancelled.")
        return {"done": 1}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "catalogue.db")
    made.jobs.start()
    yield made
    made.jobs.stop()
    made.catalogue.close()


def test_a_job_runs_and_its_end_is_recorded(office: Office) -> None:
    def run(context: JobContext) -> dict[str, Any]:
        context.loss, context.accuracy = [(1, 0.5)], [(2, 0.75)]
        context.update(0.5, "halfway")
        context.update(0.4, "progress never falls")
        return {"accuracy": 0.75}

    job = office.submit(run)
    row = office.wait(job, "succeeded")
    assert row.result == {"accuracy": 0.75}
    assert (row.progress, row.message, row.error) == (1.0, "progress never falls", None)
    assert [tuple(p) for p in row.loss] == [(1, 0.5)]
    assert [tuple(p) for p in row.accuracy] == [(2, 0.75)]
    assert row.params == {"lr": 1}
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.created_at <= row.started_at <= row.finished_at
    assert office.ended == [("train", "succeeded")]
    until(lambda: office.heard[-1] == (job, "succeeded"), "the news")


def test_who_read_its_row_before_its_end_was_recorded_is_told_of_it(office: Office) -> None:
    held = Held()
    job = office.submit(held)
    row = office.wait(job, "running")
    held.go.set()
    recorded = office.wait(job, "succeeded")
    assert row.state == "running"
    assert office.jobs.seen(row) == recorded


def test_jobs_run_one_at_a_time_in_order_of_arrival(office: Office) -> None:
    order: list[int] = []
    running = threading.Semaphore(1)

    def numbered(number: int) -> Run:
        def run(_: JobContext) -> dict[str, Any]:
            assert running.acquire(blocking=False)
            order.append(number)
            running.release()
            return {}

        return run

    submitted = [office.submit(numbered(i)) for i in range(6)]
    for job in submitted:
        office.wait(job, "succeeded")
    assert order == list(range(6))


def test_a_running_job_is_cancelled_at_its_next_step(office: Office) -> None:
    held = Held()
    job = office.submit(held)
    assert held.begun.wait(10)
    office.jobs.cancel(job)
    row = office.wait(job, "cancelled")
    assert (row.error, row.message) == (None, "The job was cancelled.")


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(office: Office) -> None:
    held, never = Held(), Held()
    first, second = office.submit(held), office.submit(never)
    assert held.begun.wait(10)
    office.jobs.cancel(second)
    assert office.row(second).state == "cancelled"
    assert "before it began" in office.row(second).message
    assert office.row(first).state == "running"
    held.go.set()
    office.wait(first, "succeeded")
    assert not never.begun.is_set()


def test_a_job_that_has_ended_or_never_was_cannot_be_cancelled(office: Office) -> None:
    job = office.submit(lambda _: {})
    office.wait(job, "succeeded")
    with pytest.raises(NotFound, match="ended already"):
        office.jobs.cancel(job)
    with pytest.raises(Exception, match="nothing") as error:
        office.jobs.cancel("nothing")
    assert getattr(error.value, "code", "") == "not_found"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (BadInput("Too steep.", remedy="Lower it."), "Too steep. Lower it."),
        (NoSpace("The disk is full."), "The disk is full."),
        (KeyError("odd"), "KeyError: 'odd'. The engine's log has the details."),
    ],
)
def test_a_failure_is_recorded_and_the_next_job_runs(
    office: Office, error: Exception, shown: str
) -> None:
    def run(_: JobContext) -> dict[str, Any]:
        raise error

    failed, fine = office.submit(run), office.submit(lambda _: {})
    row = office.wait(failed, "failed")
    assert row.error is not None
    assert row.error.startswith(shown)
    assert row.message == row.error
    office.wait(fine, "succeeded")
    assert office.ended == [("train", "failed"), ("train", "succeeded")]


def test_a_job_that_cannot_be_recorded_does_not_stop_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    first = office.submit(held)
    assert held.begun.wait(10)
    change = office.catalogue.jobs.change
    monkeypatch.setattr(module, "_RECORD_AGAIN", 0.01)

    def full(job: str, **changes: Any) -> JobRow:
        if job == first:
            raise NoSpace("The disk is full.")
        return change(job, **changes)

    monkeypatch.setattr(office.catalogue.jobs, "change", full)
    second = office.submit(lambda _: {})
    held.go.set()
    office.wait(second, "succeeded")
    assert office.jobs.context(first) is None
    # Its watchers see the end that the catalogue has no room for, and then it has.
    assert office.row(first).state == "running"
    seen = office.jobs.seen(office.row(first))
    assert (seen.state, seen.result) == ("succeeded", {"done": 1})
    assert (first, "succeeded") in office.heard
    monkeypatch.setattr(office.catalogue.jobs, "change", change)
    assert office.wait(first, "succeeded").finished_at == seen.finished_at


def test_a_job_whose_beginning_cannot_be_recorded_fails_and_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = office.catalogue.jobs.change

    def full(job: str, **changes: Any) -> JobRow:
        if changes["state"] == "running":
            raise NoSpace("The disk is full.")
        return change(job, **changes)

    monkeypatch.setattr(office.catalogue.jobs, "change", full)
    row = office.wait(office.submit(lambda _: {}), "failed")
    assert row.error is not None
    assert "The disk is full." in row.error


def test_a_job_for_idle_time_waits_and_lets_others_pass(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_CHECK", 0.01)
    patient = office.submit(lambda _: {}, when_idle=True)
    for _ in range(2):
        office.wait(office.submit(lambda _: {}), "succeeded")
    assert office.row(patient).state == "queued"
    office.idle = True
    office.wait(patient, "succeeded")


def test_a_job_that_waits_for_idle_time_can_be_cancelled(office: Office) -> None:
    patient = office.submit(lambda _: {}, when_idle=True)
    office.jobs.cancel(patient)
    assert office.row(patient).state == "cancelled"


def test_what_an_engine_left_unfinished_is_failed_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    before = Office(path)
    waiting = before.submit(lambda _: {})
    begun = before.submit(lambda _: {})
    before.catalogue.jobs.change(begun, state="running", started_at=1.0)
    before.catalogue.close()
    after = Office(path)
    after.jobs.start()
    for job in (waiting, begun):
        row = after.row(job)
        assert row.state == "failed"
        assert "start it again" in str(row.error)
        assert row.finished_at is not None
    after.jobs.stop()
    after.catalogue.close()


def test_stopping_cancels_what_runs_and_what_waits(tmp_path: Path) -> None:
    office = Office(tmp_path / "catalogue.db")
    office.jobs.start()
    held, never = Held(), Held()
    first = office.submit(held)
    second = office.submit(never)
    third = office.submit(never, when_idle=True)
    assert held.begun.wait(10)
    office.jobs.stop()
    assert [office.row(j).state for j in (first, second, third)] == ["cancelled"] * 3
    assert not never.begun.is_set()
    with pytest.raises(Unavailable, match="stopping"):
        office.submit(never)
    office.catalogue.close()


def test_serving_gives_up_half_its_threads_while_a_job_runs() -> None:
    share = ThreadShare(8)
    assert share.current == 8
    with share.beside_serving():
        assert share.current == 4
        with share.beside_serving():
            assert share.current == 4
    assert share.current == 8
    assert ThreadShare(0).total == 1
