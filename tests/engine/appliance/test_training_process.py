"""The training process is killed, held and let go; engines end and come back."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput
from engine.model.adapters import AdapterWeights
from engine.schema import Job
from engine.training.worker import shift
from engine.training.worker.messages import Begin, Ended, Failure, News, Order, Pause
from engine.training.worker.process import TrainingProcess
from store.errors import NotFound
from tests.engine.appliance.small import (
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    until,
)
from tests.engine.appliance.test_training_calls import ROWS, files_of, put_dataset, request
from tests.engine.training.small_task import same

LONG: dict[str, Any] = {"epochs": 4, "seed": 4, "patience": 3, "dropout": 0.1}


@pytest.fixture
def all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after every step; processes that are forked later have it too."""
    monkeypatch.setattr(shift, "CHECKPOINT_S", 0.0)


def process_of(appliance: Appliance) -> TrainingProcess:
    assert appliance._trainings is not None
    return appliance._trainings.process


def bits(appliance: Appliance, vplm: str = "acme/a") -> list[list[float]]:
    return probs(appliance, vplm, ["a good film", "the plot was dull"])


def learnt(appliance: Appliance, job: Job) -> AdapterWeights:
    return core_of(appliance).tiers.read(job.result["adapter"])


def checkpoint(settings: Settings, job: str) -> Path:
    return settings.paths.training / f"{job}.checkpoint"


def test_a_training_process_that_is_killed_is_started_again_and_comes_to_the_same_bits(
    appliance: Appliance, settings: Settings, all_the_time: None
) -> None:
    first = make_vplm(appliance)
    twin = make_vplm(appliance, "acme/twin", adapter=first.adapter)
    assert twin.adapter == first.adapter
    put_dataset(appliance, ROWS)
    whole = ended(appliance, appliance.train(request(vplm="acme/twin", **LONG)).id)
    job = appliance.train(request(**LONG)).id
    until(lambda: checkpoint(settings, job).exists(), "a checkpoint")
    killed, answer = process_of(appliance).pid, bits(appliance)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert bits(appliance) == answer
    until(lambda: process_of(appliance).pid not in (None, killed), "another process")
    done = ended(appliance, job)
    assert done.state == "succeeded", done.error
    assert same(learnt(appliance, done), learnt(appliance, whole))
    assert done.loss == whole.loss
    assert not checkpoint(settings, job).exists()


def test_a_job_goes_on_with_the_next_engine_and_comes_to_the_same_bits(
    settings: Settings, all_the_time: None
) -> None:
    with opened(settings) as engine:
        make_tenant(engine)
        first = make_vplm(engine)
        make_vplm(engine, "acme/twin", adapter=first.adapter)
        put_dataset(engine, ROWS)
        whole = ended(engine, engine.train(request(vplm="acme/twin", **LONG)).id)
        job = engine.train(request(**LONG)).id
        waiting = engine.train(request(epochs=1)).id
        until(lambda: checkpoint(settings, job).exists(), "a checkpoint")
    assert checkpoint(settings, job).exists()
    with opened(settings) as engine:
        assert not engine.job(job).ended
        done = ended(engine, job)
        assert done.state == "succeeded", done.error
        assert same(learnt(engine, done), learnt(engine, whole))
        assert ended(engine, waiting).result["version"] == 3


def test_a_job_whose_vplm_is_another_when_it_goes_on_says_so(
    settings: Settings, all_the_time: None
) -> None:
    with opened(settings) as engine:
        make_tenant(engine)
        make_vplm(engine)
        put_dataset(engine, ROWS)
        job = engine.train(request(**LONG)).id
        until(lambda: checkpoint(settings, job).exists(), "a checkpoint")
        core_of(engine).jobs._closed = True
        engine.remove_vplm("acme/a")
        make_vplm(engine)
    with opened(settings) as engine:
        failed = ended(engine, job)
        assert failed.state == "failed"
        assert "was replaced" in str(failed.error)
        assert engine.vplm("acme/a").version == 1


def test_a_process_that_dies_again_and_again_fails_its_jobs(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    order = TrainingProcess.order

    def killing(process: TrainingProcess, said: Order) -> None:
        order(process, said)
        if isinstance(said, Begin) and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProcess, "order", killing)
        failed = ended(appliance, appliance.train(request()).id)
    assert failed.state == "failed"
    assert "died 3 times" in str(failed.error)
    assert ended(appliance, appliance.train(request(epochs=1)).id).state == "succeeded"


def test_it_lets_go_of_a_table_when_the_job_has_ended(
    appliance: Appliance, settings: Settings
) -> None:
    make_domain(appliance, "films")
    make_vplm(appliance, domain="films")
    put_dataset(appliance, ROWS)
    job = appliance.train(request(**LONG)).id
    until(lambda: process_of(appliance).pid is not None, "a process")
    maps = Path(f"/proc/{process_of(appliance).pid}/maps")
    table = f"{settings.paths.tables}/films/"
    until(lambda: table in maps.read_text(), "a training on the table")
    assert ended(appliance, job).state == "succeeded"
    until(lambda: table not in maps.read_text(), "letting go of the table")


def test_jobs_that_wait_are_trained_in_one_pass(appliance: Appliance) -> None:
    """Those of one rank; and two on one vPLM one after the other."""
    begun: list[int] = []
    begin = TrainingProcess.begin
    put_dataset(appliance, ROWS)
    for i in range(4):
        make_vplm(appliance, f"acme/v{i}", rank=4)
    make_vplm(appliance, "acme/wide", rank=8)
    with pytest.MonkeyPatch.context() as patch:

        def counted(process: TrainingProcess, jobs: Any) -> None:
            begun.append(len(jobs))
            begin(process, jobs)

        patch.setattr(TrainingProcess, "begin", counted)
        with core_of(appliance).jobs._changed:
            wanted = ["acme/v0", "acme/wide", "acme/v1", "acme/v2", "acme/v0", "acme/v3"]
            jobs = [appliance.train(request(vplm=vplm, epochs=1)).id for vplm in wanted]
        done = [ended(appliance, job) for job in jobs]
    assert [job.state for job in done] == ["succeeded"] * len(jobs)
    assert begun == [4, 1, 1]
    assert appliance.vplm("acme/v0").version == 3


def test_a_job_for_idle_time_stands_still_while_there_is_load_and_then_finishes(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    core = core_of(appliance)
    make_vplm(appliance)
    make_vplm(appliance, "acme/other")
    put_dataset(appliance, ROWS)
    load, looks = False, 0
    orders: list[Order] = []
    order = TrainingProcess.order

    def busy() -> bool:
        nonlocal looks
        looks += 1
        return load

    def noted(process: TrainingProcess, said: Order) -> None:
        orders.append(said)
        order(process, said)

    monkeypatch.setattr(TrainingProcess, "order", noted)
    monkeypatch.setattr(core.idleness, "busy", busy)
    # As when load has just come: the averages do not know of it yet.
    monkeypatch.setattr(core.idleness, "idle", lambda: True)
    core.jobs._idle = lambda: not load
    # Long enough that it is still going when the load comes, which it tells of five times a second.
    job = appliance.train(request(when="idle", epochs=30)).id
    until(lambda: bool(appliance.job(job).loss), "the first step")
    load = True
    until(lambda: appliance.job(job).message.startswith("waits: the engine is busy"), "the pause")
    seen = looks
    until(lambda: looks > seen + 5, "a few more looks")
    assert [said for said in orders if isinstance(said, Pause)] == [Pause(True)]
    # A job that is not for idle time passes it meanwhile.
    passing = appliance.train(request(vplm="acme/other", epochs=1)).id
    assert ended(appliance, passing).state == "succeeded"
    assert appliance.job(job).state == "queued"
    assert "makes way" in appliance.job(job).message
    load = False
    done = ended(appliance, job)
    assert done.state == "succeeded", done.error
    assert done.loss[-1].step == done.result["steps"]


def test_a_worse_result_is_not_published_unless_forced(appliance: Appliance) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    good = ended(appliance, appliance.train(request(epochs=14, lr=2e-2)).id)
    assert (good.result["published"], good.result["before"]) == (True, None)
    # It begins anew and loses in wild steps what its head said at first.
    bad = {"epochs": 1, "lr": 1.0, "optimizer": "sgd", "rank": 2, "seed": 2}
    kept = ended(appliance, appliance.train(request(force=False, **bad)).id)
    assert kept.state == "succeeded", kept.error
    assert kept.result["accuracy"] < kept.result["before"]
    assert kept.result["published"] is False
    assert "which stays; --force publishes" in kept.message
    after = appliance.vplm("acme/a")
    assert (after.version, after.adapter) == (2, good.result["adapter"])
    forced = ended(appliance, appliance.train(request(**bad)).id)
    assert (forced.result["published"], forced.result["version"]) == (True, 3)


def test_what_was_learnt_before_the_numbers_exploded_is_kept_to_begin_with(
    appliance: Appliance,
    settings: Settings,
    all_the_time: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    news = TrainingProcess.news
    exploded = Failure("The numbers are no longer finite at step 7.", "Lower it.", "loss_exploded")

    def exploding(process: TrainingProcess, timeout: float) -> News | None:
        found = news(process, timeout)
        return replace(found, failure=exploded) if isinstance(found, Ended) else found

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProcess, "news", exploding)
        failed = ended(appliance, appliance.train(request(epochs=3)).id)
    assert failed.state == "failed"
    assert f"at step 7. Lower it. What it had learnt is kept: --resume {failed.id}" in str(
        failed.error
    )
    assert appliance.vplm("acme/a").version == 1
    assert checkpoint(settings, failed.id).exists()
    done = ended(appliance, appliance.train(request(epochs=1, resume=failed.id)).id)
    assert done.state == "succeeded", done.error
    for nothing in (done.id, "train-none"):
        with pytest.raises((BadInput, NotFound)):
            appliance.train(request(resume=nothing))


def test_each_label_is_told_with_precision_recall_and_support(appliance: Appliance) -> None:
    make_vplm(appliance, labels=["no", "never", "yes"])
    put_dataset(appliance, ROWS)
    done = ended(appliance, appliance.train(request(epochs=2)).id)
    assert [one.label for one in done.classes] == ["no", "never", "yes"]
    assert sum(one.support for one in done.classes) == done.result["held_out"]
    never = done.classes[1]
    assert (never.recall, never.support) == (None, 0)
    assert done.result["labels_without_rows"] == ["never"]
    assert "no row is never" in done.message
    assert not [name for name in files_of(appliance, "training") if name.startswith("train-")]


def test_a_fresh_adapter_of_another_rank_takes_over(appliance: Appliance) -> None:
    make_vplm(appliance, rank=4)
    put_dataset(appliance, ROWS)
    done = ended(appliance, appliance.train(request(epochs=1, rank=8)).id)
    assert done.state == "succeeded", done.error
    assert appliance.vplm("acme/a").rank == 8
