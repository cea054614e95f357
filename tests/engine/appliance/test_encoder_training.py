"""Rebuilds that train an n-gram encoder and its bridge: a domain's own, or the root's."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from engine.appliance import Appliance, encoder_training
from engine.appliance.memory import memory_of
from engine.config import Settings
from engine.knowledge.distil import Distillation, DistilPlan
from engine.knowledge.distil_checkpoint import Origin, save_checkpoint
from engine.model.backbone import Backbone
from engine.schema import Job, RebuildRequest
from store.errors import NoSpace
from tests.engine.appliance.small import (
    CORPUS,
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
    until,
)

MINUTES = 0.005
WORDS = [
    *("the", "a", "good", "bad", "film", "movie", "was", "is", "very", "not"),
    *("dull", "great", "plot", "order", "money", "late"),
]
MODELS = ("acme/general", "acme/reviews", "acme/films")


def corpus(lines: int = 160) -> bytes:
    rng = random.Random(0)
    return b"".join(
        " ".join(rng.choices(WORDS, k=rng.randint(4, 12))).encode() + b"\n" for _ in range(lines)
    )


def train(appliance: Appliance, name: str, minutes: float = MINUTES, **more: Any) -> Job:
    request = RebuildRequest(alpha=0.9, train_minutes=minutes, **more)
    return ended(appliance, appliance.rebuild_domain(name, request).id)


def answers(appliance: Appliance) -> dict[str, list[list[float]]]:
    return {model: probs(appliance, model) for model in MODELS}


def states(appliance: Appliance) -> dict[str, str]:
    return {d.name: d.state for d in appliance.domains().data}


def checkpoints(settings: Settings) -> list[str]:
    folder = settings.paths.training
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def encoders(settings: Settings) -> list[str]:
    """Encoder files in the blob store."""
    found = []
    for path in settings.paths.blobs.glob("*/*.safetensors"):
        with safe_open(path, framework="np") as file:
            if "bridge_widths" in (file.metadata() or {}):
                found.append(path.stem)
    return found


@pytest.fixture
def furnished(appliance: Appliance) -> Appliance:
    """general over reviews over films, all with corpora, the two with tables and a vPLM in each."""
    appliance.put_corpus("general", iter([corpus()]))
    make_domain(appliance, "reviews")
    appliance.put_corpus("reviews", iter([corpus()]))
    make_domain(appliance, "films", "reviews")
    for model in MODELS:
        make_vplm(appliance, model, domain=model.removeprefix("acme/"))
    return appliance


@pytest.fixture
def mid_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Training waits, once a few steps are done, for its cancellation; the event says that it is
    there. It is set from then on, and training does not wait again."""
    reached = threading.Event()
    learn = Distillation._learn
    run = Distillation.run

    def slow(self: Distillation, *arguments: Any) -> None:
        learn(self, *arguments)
        if self.step == 5:
            reached.set()

    def held(self: Distillation, report: Any, tick: Any, cancelled: Callable[[], bool]) -> Any:
        def asked() -> bool:
            if self.step == 5:
                until(cancelled, "the cancellation")
            return cancelled()

        return run(self, report, tick, asked)

    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "_learn", slow)
        patch.setattr(Distillation, "run", held)
        yield reached


def test_a_trained_domain_has_its_own_encoder_and_answers_the_same_after_a_restart(
    settings: Settings, furnished: Appliance
) -> None:
    before = answers(furnished)
    job = train(furnished, "reviews")
    assert job.state == "succeeded", job.error
    assert job.result["epoch"] == 2
    assert job.result["trained_tokens"] > 0
    assert 0 < job.result["error"] < 1
    assert len(job.loss) == len(job.accuracy) >= 1
    assert furnished.domain("reviews").encoder == "own"
    # What the table below was built with is not what serves there now.
    assert states(furnished) == {"general": "empty", "reviews": "ready", "films": "stale"}
    after = answers(furnished)
    assert after["acme/general"] == before["acme/general"]
    assert not same(after["acme/reviews"], before["acme/reviews"], 1e-4)
    assert classify(furnished, "acme/reviews", "the film was good").timing.hit_rate
    assert checkpoints(settings) == []
    furnished.close()
    with opened(settings) as again:
        assert answers(again) == after
        assert states(again) == {"general": "empty", "reviews": "ready", "films": "stale"}
        assert again.domain("reviews").encoder == "own"


def test_a_trained_root_changes_every_domain_and_answers_the_same_after_a_restart(
    settings: Settings, furnished: Appliance
) -> None:
    before = answers(furnished)
    exact = probs(furnished, "acme/reviews", mode="exact")
    bridge = core_of(furnished).tree.general.bridge.fingerprint()
    job = train(furnished, "general")
    assert job.state == "succeeded", job.error
    assert states(furnished) == {"general": "ready", "reviews": "stale", "films": "stale"}
    general = core_of(furnished).tree.general
    assert general.bridge.fingerprint() != bridge
    after = answers(furnished)
    assert not any(same(after[model], before[model], 1e-4) for model in MODELS)
    assert same(probs(furnished, "acme/reviews", mode="exact"), exact, tolerance_of(furnished))
    assert ended(furnished, furnished.rebuild_domain("reviews", RebuildRequest()).id)
    assert states(furnished)["reviews"] == "ready"
    assert same(probs(furnished, "acme/reviews"), after["acme/reviews"], tolerance_of(furnished))
    furnished.close()
    with opened(settings) as again:
        assert core_of(again).tree.general.encoder.fingerprint() == general.encoder.fingerprint()
        assert core_of(again).tree.general.bridge.fingerprint() == general.bridge.fingerprint()
        assert states(again) == {"general": "ready", "reviews": "ready", "films": "stale"}
        assert same(answers(again)["acme/general"], after["acme/general"], 0)


def test_a_root_trained_again_changes_no_domain_that_has_its_own_encoder(
    settings: Settings, furnished: Appliance
) -> None:
    assert train(furnished, "reviews").state == "succeeded"
    before = answers(furnished)["acme/reviews"]
    assert train(furnished, "general").state == "succeeded"
    assert states(furnished) == {"general": "ready", "reviews": "ready", "films": "stale"}
    assert same(answers(furnished)["acme/reviews"], before, 0)
    core = core_of(furnished)
    assert core.tree.take("films").encoder is core.tree.take("reviews").encoder
    assert core.tree.take("reviews").encoder is not core.tree.general.encoder
    assert len(encoders(settings)) == 2


def test_memory_counts_every_encoder(furnished: Appliance) -> None:
    before = memory_of(core_of(furnished))["encoders"]
    assert train(furnished, "reviews").state == "succeeded"
    assert memory_of(core_of(furnished))["encoders"] > 1.5 * before


def test_an_encoder_says_how_it_was_made(settings: Settings, furnished: Appliance) -> None:
    job = train(furnished, "reviews", seed=7)
    (blob,) = encoders(settings)
    with safe_open(core_of(furnished).blobs.path(blob), framework="np") as file:
        made, tensors = file.metadata(), list(file.keys())
    assert (
        made["command"]
        == f"hmi domain rebuild reviews --train-minutes {MINUTES:g} --train-from current"
    )
    assert made["corpus_sha256"] == core_of(furnished).corpora.sha256("reviews")
    assert made["seed"] == "7"
    assert made["tokens"] == str(job.result["trained_tokens"])
    assert {name.split(".")[0] for name in tensors} == {"encoder", "bridge"}


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
    assert checkpoints(settings) == ["reviews.safetensors"]
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
    furnished.close()
    assert checkpoints(settings) == ["general.safetensors"]
    with opened(settings) as again:
        assert again.job(job).state == "cancelled"
        assert states(again) == {"general": "empty", "reviews": "ready", "films": "ready"}
        assert checkpoints(settings) == ["general.safetensors"]


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
    assert checkpoints(settings) == ["reviews.safetensors"]

    def never(*_: object) -> None:
        raise AssertionError("it was trained already")

    monkeypatch.setattr(Distillation, "_learn", never)
    second = train(furnished, "reviews")
    assert second.state == "succeeded", second.error
    assert second.result["trained_tokens"] > 0
    assert checkpoints(settings) == []


def test_training_again_replaces_the_encoder_and_forgets_the_one_before(
    settings: Settings, furnished: Appliance
) -> None:
    train(furnished, "reviews")
    first = encoders(settings)
    train(furnished, "reviews", seed=1)
    second = encoders(settings)
    assert len(first) == len(second) == 1
    assert first != second


def test_a_rebuild_without_training_keeps_the_encoder(
    settings: Settings, furnished: Appliance
) -> None:
    train(furnished, "reviews")
    kept, expected = encoders(settings), probs(furnished, "acme/reviews")
    job = ended(furnished, furnished.rebuild_domain("reviews", RebuildRequest(alpha=0.2)).id)
    assert job.state == "succeeded"
    assert encoders(settings) == kept
    assert furnished.domain("reviews").encoder == "own"
    assert same(probs(furnished, "acme/reviews"), expected, tolerance_of(furnished))


def test_a_removed_domain_takes_its_encoder_and_its_checkpoint_with_it(
    settings: Settings, furnished: Appliance, mid_training: threading.Event
) -> None:
    for name in ("reviews", "films"):
        furnished.put_corpus(name, iter([corpus()]))
    job = furnished.rebuild_domain("reviews", RebuildRequest(train_minutes=10)).id
    assert mid_training.wait(20)
    furnished.cancel_job(job)
    ended(furnished, job)
    assert checkpoints(settings) == ["reviews.safetensors"]
    furnished.remove_domain("reviews")
    assert checkpoints(settings) == []
    core = core_of(furnished)
    assert core.tree.take("films").encoder is core.tree.general.encoder


def test_removing_a_domain_hands_its_children_back_to_the_encoder_above(
    settings: Settings, furnished: Appliance
) -> None:
    train(furnished, "reviews")
    assert ended(furnished, furnished.rebuild_domain("films", RebuildRequest()).id)
    assert states(furnished)["films"] == "ready"
    furnished.remove_domain("reviews")
    assert encoders(settings) == []
    assert states(furnished) == {"general": "empty", "films": "stale"}
    answered = {model: probs(furnished, model) for model in MODELS}
    furnished.close()
    with opened(settings) as again:
        assert answers(again) == answered


def test_a_corpus_too_small_to_train_on_is_refused_in_words_and_nothing_changes(
    furnished: Appliance,
) -> None:
    furnished.put_corpus("reviews", iter([CORPUS]))
    job = train(furnished, "reviews")
    assert job.state == "failed"
    assert "at least 51" in str(job.error)
    assert "without --train-minutes" in str(job.error)
    assert furnished.domain("reviews").state == "ready"
    assert furnished.domain("reviews").epoch == 1


def test_a_backbone_without_an_encoder_gets_one_by_training_the_root(settings: Settings) -> None:
    bare = replace(settings, encoder=None)
    with opened(bare) as appliance:
        make_tenant(appliance)
        make_vplm(appliance)
        appliance.put_corpus("general", iter([corpus()]))
        assert appliance.domain("general").state == "damaged"
        assert train(appliance, "general").state == "succeeded"
        assert appliance.domain("general").state == "ready"
        expected = probs(appliance, "acme/a")
    with opened(bare) as again:
        assert probs(again, "acme/a") == expected


def test_an_engine_that_serves_in_half_precision_trains_in_float32(
    furnished: Appliance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnished.close()
    monkeypatch.setattr("engine.appliance.core.pick_dtype", lambda _: torch.bfloat16)
    taught: list[Backbone] = []
    begin = Distillation.__init__

    def spy(self: Distillation, hplm: Any, backbone: Backbone, *rest: Any, **more: Any) -> None:
        taught.append(backbone)
        begin(self, hplm, backbone, *rest, **more)

    monkeypatch.setattr(Distillation, "__init__", spy)
    with opened(settings) as half:
        for name in ("general", "reviews"):
            job = train(half, name)
            assert job.state == "succeeded", job.error
        after = answers(half)
        assert core_of(half).backbone.dtype == torch.bfloat16
    assert {backbone.dtype for backbone in taught} == {torch.float32}
    with opened(settings) as again:
        assert answers(again) == after


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
    assert set(saved) == {settings.paths.training / f"{name}.safetensors"}


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
