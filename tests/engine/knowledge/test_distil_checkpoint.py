from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import Cancelled
from engine.knowledge.distil import Distillation
from engine.knowledge.distil_checkpoint import Origin, resume, save_checkpoint
from engine.knowledge.distil_plan import DistilPlan
from engine.knowledge.hplm import Hplm
from engine.model.backbone import Backbone

PLAN = DistilPlan(minutes=1000, tokens=8_000, lr=3e-3, batch_tokens=128)
ORIGIN = Origin("corpus", "start", PLAN)
NEAR = 0.1
"""How far, as a share, a resumed run may end from an uninterrupted one: it meets the rest of its
corpus in another order."""

Start = Callable[[], Distillation]


@pytest.fixture
def start(backbone: Backbone, lines: list[str]) -> Start:
    """The same run from its beginning, as often as wanted."""
    torch.manual_seed(3)
    first = Hplm.untrained(backbone)

    def begin() -> Distillation:
        hplm = Hplm.untrained(backbone)
        hplm.encoder.load(first.encoder.state_dict())
        hplm.bridge.load(first.bridge.state_dict())
        return Distillation(hplm, backbone, lines, PLAN)

    return begin


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "training" / "reviews.safetensors"


def _interrupt(run: Distillation, share: float, path: Path) -> None:
    with pytest.raises(Cancelled):
        run.run(lambda _: None, cancelled=lambda: run.share >= share)
    save_checkpoint(run, path, ORIGIN)


def _marks(run: Distillation) -> tuple[str, str]:
    return run.hplm.encoder.fingerprint(), run.hplm.bridge.fingerprint()


def test_a_run_taken_up_is_where_the_interrupted_one_was(start: Start, path: Path) -> None:
    stopped, again = start(), start()
    _interrupt(stopped, 0.3, path)
    assert _marks(again) != _marks(stopped)
    assert resume(again, path, ORIGIN)
    assert _marks(again) == _marks(stopped)
    assert (again.step, again.tokens, again.seconds) == (
        stopped.step,
        stopped.tokens,
        stopped.seconds,
    )
    for ours, theirs in zip(again.parameters, stopped.parameters, strict=True):
        here, there = again.optimizer.state[ours], stopped.optimizer.state[theirs]
        assert here.keys() == there.keys()
        assert all(torch.equal(here[name], there[name]) for name in here)


def test_a_run_interrupted_twice_ends_near_where_an_uninterrupted_one_ends(
    start: Start, path: Path
) -> None:
    begun = start().held_out_errors()
    whole = start().run(lambda _: None)
    for share in (0.3, 0.7):
        run = start()
        resume(run, path, ORIGIN)
        _interrupt(run, share, path)
    last = start()
    assert resume(last, path, ORIGIN)
    assert last.share >= 0.7
    end = last.run(lambda _: None)
    assert end.error == pytest.approx(whole.error, rel=NEAR)
    assert end.error_top == pytest.approx(whole.error_top, rel=NEAR)
    assert end.error < 0.7 * begun[0]
    assert end.tokens == pytest.approx(whole.tokens, abs=PLAN.batch_tokens)


@pytest.mark.parametrize(
    "other",
    [
        replace(ORIGIN, corpus_sha256="another"),
        replace(ORIGIN, start="another"),
        replace(ORIGIN, plan=replace(PLAN, minutes=20)),
        replace(ORIGIN, plan=replace(PLAN, seed=1)),
    ],
    ids=["corpus", "start", "minutes", "seed"],
)
def test_a_checkpoint_of_another_run_is_not_taken_up_and_goes(
    start: Start, path: Path, other: Origin
) -> None:
    _interrupt(start(), 0.1, path)
    run = start()
    fresh = _marks(run)
    assert not resume(run, path, other)
    assert _marks(run) == fresh
    assert (run.step, run.tokens, run.seconds) == (0, 0, 0.0)
    assert not path.exists()


@pytest.mark.parametrize("harm", ["cut", "empty", "text"])
def test_a_checkpoint_that_cannot_be_read_is_not_taken_up_and_goes(
    start: Start, path: Path, harm: str
) -> None:
    _interrupt(start(), 0.1, path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-100], "empty": b"", "text": b"nothing of the kind"}[harm])
    run = start()
    fresh = _marks(run)
    assert not resume(run, path, ORIGIN)
    assert _marks(run) == fresh
    assert not path.exists()


def test_a_run_stopped_before_its_first_step_begins_anew(start: Start, path: Path) -> None:
    _interrupt(start(), 0.0, path)
    run = start()
    fresh = _marks(run)
    resume(run, path, ORIGIN)
    assert _marks(run) == fresh
    assert run.step == 0
    assert run.run(lambda _: None).share == 1.0


def test_without_a_checkpoint_a_run_begins_anew(start: Start, path: Path) -> None:
    assert not resume(start(), path, ORIGIN)


def test_a_checkpoint_is_replaced_whole(start: Start, path: Path) -> None:
    run = start()
    for share in (0.1, 0.2):
        _interrupt(run, share, path)
    names = sorted(entry.name for entry in path.parent.iterdir())
    assert names == [path.name, f"{path.name}.sum"]
    again = start()
    assert resume(again, path, ORIGIN)
    assert again.step == run.step
