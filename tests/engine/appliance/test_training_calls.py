from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from engine.appliance import Appliance
from engine.errors import BadInput
from engine.schema import TrainRequest, VplmPatch
from engine.training.worker.messages import JobFiles, Pause
from engine.training.worker.process import TrainingProcess
from store.errors import BadText, NoSpace, NotFound
from tests.engine.appliance.small import (
    classify,
    core_of,
    ended,
    make_tenant,
    make_vplm,
    probs,
)

GOOD, BAD = ("good", "great", "good"), ("bad", "dull", "bad")
ROWS = [
    {"text": f"{noun} {verb} {word}", "label": label}
    for noun in ("the film", "a movie", "my order", "the plot", "it")
    for verb in ("was", "is", "is very")
    for words, label in ((GOOD, "yes"), (BAD, "no"))
    for word in words
]


def put_dataset(appliance: Appliance, rows: list[dict[str, str]], name: str = "data") -> None:
    data = "\n".join(map(json.dumps, rows)).encode()
    appliance.put_dataset("acme", name, iter([data[:100], data[100:]]), "jsonl", "text", "label")


def request(**choices: Any) -> TrainRequest:
    return TrainRequest(
        **{
            "vplm": "acme/a",
            "dataset": "data",
            "lr": 1e-2,
            "batch_size": 8,
            "force": True,
            **choices,
        }
    )


class Held:
    """Training that waits before its first step, so that a test may act meanwhile."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self._waiting: list[threading.Thread] = []
        begin = TrainingProcess.begin

        def held(process: TrainingProcess, jobs: tuple[JobFiles, ...]) -> None:
            begin(process, jobs)
            if not self.go.is_set():
                process.order(Pause(True))
                self.begun.set()
                waits = threading.Thread(target=self._go_on, args=(process,), daemon=True)
                waits.start()
                self._waiting.append(waits)

        patch.setattr(TrainingProcess, "begin", held)

    def let_go(self) -> None:
        """Nothing of it is to speak to a process in the tests that follow."""
        self.go.set()
        for waits in self._waiting:
            waits.join(30)

    def _go_on(self, process: TrainingProcess) -> None:
        self.go.wait(30)
        process.order(Pause(False))


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.let_go()


def files_of(appliance: Appliance, folder: str) -> list[str]:
    root = core_of(appliance).settings.paths.data / folder
    return sorted(p.name for p in root.rglob("*") if p.is_file())


def test_a_vplm_is_trained_published_and_answers_better(appliance: Appliance) -> None:
    before = make_vplm(appliance, rank=8)
    put_dataset(appliance, ROWS)
    job = ended(appliance, appliance.train(request(epochs=14, lr=2e-2)).id)
    assert job.state == "succeeded", job.error
    assert job.result["version"] == 2
    assert (job.result["rows"], job.result["held_out"]) == (90, 8)
    assert job.result["accuracy"] == job.accuracy[-1].value >= 0.8
    assert (job.progress, job.eta_s, job.subject) == (1.0, None, "acme/a")
    assert len(job.accuracy) == 14
    assert job.loss
    after = appliance.vplm("acme/a")
    assert (after.version, after.accuracy) == (2, job.result["accuracy"])
    assert after.adapter == job.result["adapter"] != before.adapter
    assert appliance.adapter(after.adapter).created_by == job.id
    kept = sorted([before.adapter, after.adapter])
    assert files_of(appliance, "blobs") == [f"{adapter}.safetensors" for adapter in kept]


def test_what_was_learnt_from_the_tables_answers_without_them_too(appliance: Appliance) -> None:
    """Of several vPLMs together: where one starts decides how much of it fits the tables alone."""
    put_dataset(appliance, ROWS)
    names = [f"acme/v{i}" for i in range(8)]
    with core_of(appliance).jobs._changed:
        for name in names:
            make_vplm(appliance, name, rank=8)
        jobs = [appliance.train(request(vplm=name, epochs=14)).id for name in names]
    assert [ended(appliance, job).state for job in jobs] == ["succeeded"] * len(jobs)

    def right(name: str, mode: Literal["plot", "exact"]) -> int:
        got = classify(appliance, name, [row["text"] for row in ROWS], mode)
        return sum(p.label == row["label"] for p, row in zip(got.data, ROWS, strict=True))

    assert min(right(name, "plot") for name in names) >= 0.95 * len(ROWS)
    assert sum(right(name, "exact") for name in names) >= 0.85 * len(ROWS) * len(names)


def test_an_adapter_at_one_place_stays_there_trained_again_and_afresh(
    appliance: Appliance,
) -> None:
    make_vplm(appliance, places=["attention"])
    put_dataset(appliance, ROWS)
    for more in ({}, {}, {"rank": 6}):
        job = ended(appliance, appliance.train(request(epochs=1, **more)).id)
        assert job.state == "succeeded", job.error
        made = appliance.adapter(job.result["adapter"])
        assert (made.created_by, made.places) == (job.id, ["attention"])
    assert made.rank == 6


def test_training_leaves_other_vplms_as_they_were(appliance: Appliance) -> None:
    first = make_vplm(appliance)
    make_vplm(appliance, "acme/sharing", adapter=first.adapter)
    make_vplm(appliance, "acme/other")
    before = {model: probs(appliance, model) for model in ("acme/sharing", "acme/other")}
    put_dataset(appliance, ROWS)
    appliance.change_vplm("acme/a", VplmPatch(pin=True))
    assert ended(appliance, appliance.train(request(epochs=1)).id).state == "succeeded"
    assert {model: probs(appliance, model) for model in before} == before
    assert core_of(appliance).tiers._pinned == {appliance.vplm("acme/a").adapter}


def test_training_again_goes_on_from_what_was_learnt(appliance: Appliance) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    for version in (2, 3):
        job = ended(appliance, appliance.train(request(epochs=1)).id)
        assert job.result["version"] == version
    # One for each version: what was, can be gone back to.
    assert len(files_of(appliance, "blobs")) == 3


def test_serving_goes_on_while_a_job_trains_and_answers_are_old_or_new(
    appliance: Appliance,
) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    old = probs(appliance, "acme/a", ["a good film"])
    job = appliance.train(request(epochs=3)).id
    seen = []
    while not appliance.job(job).ended:
        seen.append(probs(appliance, "acme/a", ["a good film"]))
    new = probs(appliance, "acme/a", ["a good film"])
    assert old != new
    assert seen
    assert all(answer in (old, new) for answer in seen)


def test_a_job_cancelled_while_it_runs_publishes_nothing(appliance: Appliance, held: Held) -> None:
    before = make_vplm(appliance)
    put_dataset(appliance, ROWS)
    job = appliance.train(request()).id
    assert held.begun.wait(10)
    assert appliance.job(job).state == "running"
    assert [j.id for j in appliance.status().jobs] == [job]
    appliance.cancel_job(job)
    assert ended(appliance, job).state == "cancelled"
    after = appliance.vplm("acme/a")
    assert (after.version, after.adapter) == (1, before.adapter)
    assert files_of(appliance, "blobs") == [f"{before.adapter}.safetensors"]


def test_a_waiting_job_can_be_cancelled_and_jobs_are_listed_newest_first(
    appliance: Appliance, held: Held
) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    jobs = [appliance.train(request()).id for _ in range(3)]
    assert held.begun.wait(10)
    assert appliance.cancel_job(jobs[1]).state == "cancelled"
    page = appliance.jobs(None, 2, None)
    assert [j.id for j in page.data] == [jobs[2], jobs[1]]
    assert page.total == 3
    assert [j.id for j in appliance.jobs(None, 2, page.next_cursor).data] == [jobs[0]]
    assert [j.id for j in appliance.jobs("queued", 10, None).data] == [jobs[2]]
    held.go.set()
    assert ended(appliance, jobs[2]).result["version"] == 3
    with pytest.raises(NotFound):
        appliance.job("nothing")


def test_a_vplm_removed_while_it_is_trained_stays_removed(appliance: Appliance, held: Held) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    job = appliance.train(request(epochs=1)).id
    assert held.begun.wait(10)
    appliance.remove_vplm("acme/a")
    held.go.set()
    failed = ended(appliance, job)
    assert failed.state == "failed"
    assert 'There is no vPLM "acme/a"' in str(failed.error)
    assert files_of(appliance, "blobs") == []


def test_a_vplm_made_anew_while_the_old_one_is_trained_is_left_alone(
    appliance: Appliance, held: Held
) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    job = appliance.train(request(epochs=1)).id
    assert held.begun.wait(10)
    appliance.remove_vplm("acme/a")
    made = make_vplm(appliance, labels=["x", "y", "z"])
    expected = probs(appliance, "acme/a")
    held.go.set()
    failed = ended(appliance, job)
    assert failed.state == "failed"
    assert "was replaced" in str(failed.error)
    assert appliance.vplm("acme/a").version == 1
    assert probs(appliance, "acme/a") == expected
    assert files_of(appliance, "blobs") == [f"{made.adapter}.safetensors"]


def test_what_changed_while_a_job_waited_is_checked_again(appliance: Appliance, held: Held) -> None:
    make_vplm(appliance)
    make_vplm(appliance, "acme/b")
    put_dataset(appliance, ROWS)
    first = appliance.train(request(epochs=1)).id
    assert held.begun.wait(10)
    second = appliance.train(request(vplm="acme/b")).id
    appliance.remove_vplm("acme/b")
    make_vplm(appliance, "acme/b", ["x", "y"])
    third = appliance.train(request(epochs=1)).id
    put_dataset(appliance, ROWS[:40])
    held.go.set()
    assert ended(appliance, first).result["rows"] == 90
    assert "does not know: no, yes" in str(ended(appliance, second).error)
    assert ended(appliance, third).result["rows"] == 40


def test_training_that_finds_no_room_publishes_nothing(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_vplm(appliance)
    put_dataset(appliance, ROWS)

    def full(*_: object, **__: object) -> None:
        raise NoSpace("No space is left for the catalogue.")

    monkeypatch.setattr(core_of(appliance).catalogue.vplms, "publish", full)
    job = ended(appliance, appliance.train(request(epochs=1)).id)
    assert job.state == "failed"
    assert "No space" in str(job.error)
    assert appliance.vplm("acme/a").adapter == before.adapter
    assert files_of(appliance, "blobs") == [f"{before.adapter}.safetensors"]


def test_what_training_needs_must_be_there_and_fit(appliance: Appliance) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    put_dataset(appliance, [{"text": "a", "label": "no"}], "single")
    put_dataset(appliance, [*ROWS, {"text": "a", "label": "perhaps"}], "odd")
    for choices in ({"vplm": "acme/none"}, {"dataset": "none"}):
        with pytest.raises(NotFound, match="none"):
            appliance.train(request(**choices))
    for dataset, code in (("single", "one_label"), ("odd", "unknown_labels")):
        with pytest.raises(BadInput) as error:
            appliance.train(request(dataset=dataset))
        assert error.value.code == code
    assert appliance.jobs(None, 10, None).total == 0


def test_a_dataset_is_received_and_replaced(appliance: Appliance) -> None:
    data = b"body,stars\na film,5\nanother,1\na third,5\n"
    got = appliance.put_dataset("acme", "csv", iter([data]), "csv", "body", "stars")
    assert (got.rows, got.labels) == (3, {"5": 2, "1": 1})
    appliance.put_dataset("acme", "csv", iter([data[:19]]), "csv", "body", "stars")
    assert len(files_of(appliance, "datasets")) == 1


def test_a_bad_dataset_leaves_nothing(appliance: Appliance) -> None:
    for data, kind in ((b"nonsense", BadInput), (b"", BadText)):
        with pytest.raises(kind):
            appliance.put_dataset("acme", "d", iter([data]), "jsonl", "text", "label")
    good = b'{"text": "a", "label": "x"}\n'
    with pytest.raises(NotFound):
        appliance.put_dataset("nobody", "d", iter([good]), "jsonl", "text", "label")
    odd = b'{"text": "\\ud800", "label": "x"}\n'
    with pytest.raises(BadText, match="surrogate"):
        appliance.put_dataset("acme", "d", iter([odd]), "jsonl", "text", "label")

    def cut_off() -> Any:
        yield good
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        appliance.put_dataset("acme", "d", cut_off(), "jsonl", "text", "label")
    assert files_of(appliance, "datasets") == []


def test_a_tenant_trains_on_its_own_datasets_only(appliance: Appliance) -> None:
    make_tenant(appliance, "globex")
    make_vplm(appliance, "globex/a")
    put_dataset(appliance, ROWS)
    with pytest.raises(NotFound):
        appliance.train(request(vplm="globex/a"))


def test_the_last_evaluations_confusion_is_kept_with_the_job(appliance: Appliance) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    job = ended(appliance, appliance.train(request(epochs=2)).id)
    confused = job.confusion
    assert confused is not None
    assert confused.labels == ["no", "yes"]
    assert sum(map(sum, confused.counts)) == job.result["held_out"]
    right = sum(confused.counts[i][i] for i in range(2))
    assert right / job.result["held_out"] == pytest.approx(job.accuracy[-1].value)
