"""The training process is killed, held and let go; engines end and come back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.schema import VplmPatch
from engine.training.worker import shift
from engine.training.worker.messages import Begin, Order
from engine.training.worker.process import TrainingProcess
from tests.engine.appliance.small import (
    core_of,
    ended,
    make_tenant,
    make_vplm,
    opened,
    probs,
    until,
)
from tests.engine.appliance.test_training_calls import ROWS, files_of, put_dataset, request

LONG: dict[str, Any] = {"epochs": 60, "seed": 4}


@pytest.fixture
def all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after every step; processes that are forked later have it too."""
    monkeypatch.setenv("HMI_TEST_CHECKPOINT_S", "0")


def process_of(appliance: Appliance) -> TrainingProcess:
    assert appliance._trainings is not None
    return appliance._trainings.process


def bits(appliance: Appliance, vplm: str = "acme/a") -> list[list[float]]:
    return probs(appliance, vplm, ["a good film", "the plot was dull"])


def checkpoint(settings: Settings, job: str) -> Path:
    return settings.paths.training / f"{job}.checkpoint"


def undisturbed(settings: Settings, **choices: Any) -> str:
    """The adapter's id, which is its content's sum, that such a training comes to."""
    with opened(settings) as engine:
        make_tenant(engine)
        start = make_vplm(engine)
        put_dataset(engine, ROWS)
        job = ended(engine, engine.train(request(**(LONG | choices))).id)
        assert job.state == "succeeded", job.error
        adapter = str(job.result["adapter"])
        engine.change_vplm("acme/a", VplmPatch(pin=True))
        assert start.adapter != adapter
        return adapter


def test_a_training_process_that_is_killed_is_started_again_and_comes_to_the_same_bits(
    appliance: Appliance, settings: Settings, all_the_time: None
) -> None:
    first = make_vplm(appliance)
    twin = make_vplm(appliance, "acme/twin", adapter=first.adapter)
    assert twin.adapter == first.adapter
    put_dataset(appliance, ROWS)
    whole = ended(appliance, appliance.train(request(vplm="acme/twin", **LONG)).id)
    job = appliance.train(request(**LONG)).id
    for _ in range(2):
        until(lambda: checkpoint(settings, job).exists(), "a checkpoint")
        before = process_of(appliance).pid
        assert before is not None
        before_answer = bits(appliance)
        os.kill(before, signal.SIGKILL)
        assert bits(appliance) == before_answer
        until(lambda: process_of(appliance).pid not in (None, before), "another process")
    done = ended(appliance, job)
    assert done.state == "succeeded", done.error
    assert done.result["adapter"] == whole.result["adapter"]
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
        assert done.result["adapter"] == whole.result["adapter"]
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
    load = False
    monkeypatch.setattr(core, "busy", lambda: load)
    monkeypatch.setattr(core, "idle", lambda: not load)
    core.jobs._idle = lambda: not load
    job = appliance.train(request(when="idle", **LONG)).id
    until(lambda: bool(appliance.job(job).loss), "the first step")
    load = True
    until(lambda: appliance.job(job).message.startswith("waits: the engine is busy"), "the pause")
    until(lambda: len(appliance.job(job).loss) == len(appliance.job(job).loss), "a look")
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
    spoilt = [{**row, "label": "no" if row["label"] == "yes" else "yes"} for row in ROWS[:60]]
    put_dataset(appliance, [*spoilt, *ROWS], "spoilt")
    bad = {"dataset": "spoilt", "epochs": 1, "lr": 0.5, "optimizer": "sgd", "seed": 2}
    kept = ended(appliance, appliance.train(request(force=False, **bad)).id)
    assert kept.state == "succeeded", kept.error
    if kept.result["accuracy"] >= kept.result["before"]:
        pytest.fail(f"the spoilt training is not worse: {kept.result}")
    assert kept.result["published"] is False
    assert "which stays; --force publishes" in kept.message
    after = appliance.vplm("acme/a")
    assert (after.version, after.adapter) == (2, good.result["adapter"])
    forced = ended(appliance, appliance.train(request(**bad)).id)
    assert (forced.result["published"], forced.result["version"]) == (True, 3)


def test_what_was_learnt_before_the_numbers_exploded_is_kept_to_begin_with(
    appliance: Appliance, settings: Settings, all_the_time: None
) -> None:
    make_vplm(appliance)
    put_dataset(appliance, ROWS)
    wild = {"optimizer": "sgd", "lr": 1.0, "warmup": 0.9, "schedule": "constant"}
    monkey = {"epochs": 200, "weight_decay": 1.0, **wild}
    failed = ended(appliance, appliance.train(request(**monkey)).id)
    if failed.state != "failed":
        pytest.skip("these numbers do not explode on this machine")
    assert "no longer finite at step" in str(failed.error)
    assert failed.id in str(failed.error)
    assert checkpoint(settings, failed.id).exists()
    assert appliance.vplm("acme/a").version == 1


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
    assert files_of(appliance, "training") == [
        name for name in files_of(appliance, "training") if not name.startswith("train-")
    ]


def test_a_fresh_adapter_of_another_rank_takes_over(appliance: Appliance) -> None:
    make_vplm(appliance, rank=4)
    put_dataset(appliance, ROWS)
    done = ended(appliance, appliance.train(request(epochs=1, rank=8)).id)
    assert done.state == "succeeded", done.error
    assert appliance.vplm("acme/a").rank == 8


__all__ = ["shift", "undisturbed"]
