"""Trainings of encoders that are cancelled, killed or fail half-way, and what they leave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.appliance import Appliance, encoder_training
from engine.config import Settings
from engine.knowledge.distil import Distillation
from engine.knowledge.distil_checkpoint import Origin, save_checkpoint
from engine.knowledge.distil_plan import DistilPlan
from engine.schema import RebuildRequest
from store.errors import NoSpace
from tests.engine.appliance.small import (
    core_of,
    ended,
    opened,
    until,
)
from tests.engine.appliance.trained import (
    MINUTES,
    answers,
    checkpoints,
    corpus,
    encoders,
    kept,
    states,
    train,
)


def test_a_cancelled_training_leaves_a_checkpoint_and_the_epoch_before_and_goes_on_later(
    settings: Settings, furnished: Appliance, mid_training: threading.Event
) -> None:
    before = answers(furnished)
    request = RebuildRequest(train_minutes=10)
    job = furnished.rebuild_domain("reviews", request).id
    assert mid_training.wait(20)
    assert furnished.domain("reviews").state == "rebuilding"
    furnished.cancel_job(job)
    assert ended(furnished, job).state == "cancelled"
    assert checkpoints(settings) == kept(furnished, "reviews")
    found = furnished.domain("reviews")
    assert (found.epoch, found.state, found.encoder) == (1, "ready", "inherited")
    assert answers(furnished) == before
    assert encoders(settings) == []
    again = furnished.rebuild_domain("reviews", request).id
    until(lambda: "going on where it stopped" in furnished.job(again).message, "going on")
    furnished.cancel_job(again)
    assert ended(furnished, again).state == "cancelled"


def test_an_engine_that_stops_leaves_a_checkpoint(
    settings: Settings, furnished: Appliance, mid_training: threading.Event
) -> None:
    job = furnished.rebuild_domain("general", RebuildRequest(train_minutes=10)).id
    assert mid_training.wait(20)
    left = kept(furnished, "general")
    furnished.close()
    assert checkpoints(settings) == left
    with opened(settings) as again:
        assert again.job(job).state == "cancelled"
        assert states(again) == {"general": "empty", "reviews": "ready", "films": "ready"}
        assert checkpoints(settings) == left


def test_what_was_trained_is_not_lost_when_its_table_cannot_be_built(
    settings: Settings, furnished: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, lines: Iterator[str], *more: object) -> None:
        assert next(lines)
        list(lines)
        raise NoSpace("No space is left for the table.")

    with monkeypatch.context() as patch:
        patch.setattr("engine.appliance.rebuild.build_table", full)
        first = train(furnished, "reviews")
    assert (first.state, str(first.error)[:8]) == ("failed", "No space")
    assert furnished.domain("reviews").encoder == "inherited"
    assert encoders(settings) == []
    assert checkpoints(settings) == kept(furnished, "reviews")

    def never(*_: object) -> None:
        raise AssertionError("it was trained already")

    monkeypatch.setattr(Distillation, "_learn", never)
    second = train(furnished, "reviews")
    assert second.state == "succeeded", second.error
    assert second.result["trained_tokens"] > 0
    assert checkpoints(settings) == []


def test_a_removed_domain_takes_its_encoder_and_its_checkpoint_with_it(
    settings: Settings, furnished: Appliance, mid_training: threading.Event
) -> None:
    for name in ("reviews", "films"):
        furnished.put_corpus(name, iter([corpus()]))
    job = furnished.rebuild_domain("reviews", RebuildRequest(train_minutes=10)).id
    assert mid_training.wait(20)
    furnished.cancel_job(job)
    ended(furnished, job)
    assert checkpoints(settings) == kept(furnished, "reviews")
    furnished.remove_domain("reviews")
    assert checkpoints(settings) == []
    core = core_of(furnished)
    assert core.tree.take("films").encoder is core.tree.general.encoder


@pytest.mark.parametrize("name", ["reviews", "general"])
def test_checkpoints_are_written_meanwhile(
    settings: Settings, furnished: Appliance, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """So that an engine that is killed loses a minute of training, not all of it."""
    saved: list[Path] = []

    def spy(run: Distillation, path: Path, origin: Origin) -> None:
        save_checkpoint(run, path, origin)
        saved.append(path)

    monkeypatch.setattr(encoder_training, "save_checkpoint", spy)
    monkeypatch.setattr(encoder_training, "CHECKPOINT_S", 0.0)
    by_steps = {"minutes": 1000.0, "tokens": 2_000, "report_s": 0.0}
    monkeypatch.setattr(encoder_training, "DistilPlan", lambda **kw: DistilPlan(**kw | by_steps))
    assert train(furnished, name).state == "succeeded"
    assert len(saved) > 2
    assert set(saved) == {settings.paths.training / kept(furnished, name)[0]}


def test_an_epoch_that_is_in_the_catalogue_is_never_taken_back(
    settings: Settings, furnished: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise NoSpace("No space left.")

    monkeypatch.setattr(core_of(furnished).tree, "put", stumble)
    job = furnished.rebuild_domain("reviews", RebuildRequest(train_minutes=MINUTES)).id
    assert ended(furnished, job).state == "failed"
    furnished.close()
    with opened(settings) as again:
        found = again.domain("reviews")
        assert (found.epoch, found.state, found.encoder) == (2, "ready", "own")
        assert len(encoders(settings)) == 1
        assert answers(again)
