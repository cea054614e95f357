from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.errors import BadInput, Cancelled
from engine.knowledge.distil import HELD_OUT_EVERY, Distillation
from engine.knowledge.distil_plan import DistilPlan, DistilProgress
from engine.knowledge.hplm import Hplm
from engine.model.backbone import Backbone
from engine.model.ngrams import ABSENT

PLAN = DistilPlan(minutes=1000, tokens=6_000, lr=3e-3, batch_tokens=128)
"""As many tokens as that, however long they take."""

Told = list[DistilProgress]


@pytest.fixture
def pupil(backbone: Backbone) -> Hplm:
    torch.manual_seed(3)
    return Hplm.untrained(backbone)


@pytest.fixture
def start(pupil: Hplm, backbone: Backbone, lines: list[str]) -> Callable[..., Distillation]:
    """A run on `lines`: start(**plan)."""

    def begin(hplm: Hplm = pupil, **plan: Any) -> Distillation:
        return Distillation(hplm, backbone, lines, replace(PLAN, **plan))

    return begin


Start = Callable[..., Distillation]


def _bits(backbone: Backbone) -> dict[str, Tensor]:
    weights = {
        f"{layer}.{name}": t
        for layer, tensors in enumerate(backbone.layers)
        for name, t in tensors.tensors().items()
    }
    weights |= backbone.embeddings.tensors()
    return {name: t.clone() for name, t in weights.items()}


def _weights(part: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in part.parameters()]


def _changed(before: list[Tensor], part: nn.Module) -> list[bool]:
    return [not torch.equal(b, p) for b, p in zip(before, part.parameters(), strict=True)]


def test_training_lowers_the_held_out_error_and_changes_no_layer_of_the_backbone(
    backbone: Backbone, pupil: Hplm, start: Start
) -> None:
    pupil.freeze()
    bits, encoder, bridge = _bits(backbone), _weights(pupil.encoder), _weights(pupil.bridge)
    run = start()
    low, top = run.held_out_errors()
    end = run.run(lambda _: None)
    assert end.error < 0.8 * low
    assert end.error_top < 0.9 * top
    after = _bits(backbone)
    assert all(torch.equal(after[name], kept) for name, kept in bits.items())
    assert torch.equal(pupil.encoder.word, backbone.embeddings.word)
    assert all(_changed(encoder, pupil.encoder))
    assert all(_changed(bridge, pupil.bridge))


def test_the_last_report_is_how_it_ended(start: Start) -> None:
    told: Told = []
    run = start()
    end = run.run(told.append)
    assert told == [end]
    assert end.share == run.share == 1.0
    assert PLAN.tokens is not None
    assert PLAN.tokens <= end.tokens < PLAN.tokens + PLAN.batch_tokens
    assert (end.error, end.error_top) == pytest.approx(run.held_out_errors(), rel=1e-3)
    assert 0 < end.loss < 1


def test_it_ticks_at_every_step_and_reports_as_often_as_it_was_asked_to(start: Start) -> None:
    told: Told = []
    shares: list[float] = []
    run = start(report_s=0.0, tokens=1_500)
    run.run(told.append, shares.append)
    assert len(shares) == run.step
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # The last step is reported as the end.
    assert [p.step for p in told] == list(range(1, run.step + 1))
    assert all(a.tokens < b.tokens and a.seconds < b.seconds for a, b in pairwise(told))


def test_it_ends_when_its_time_is_over(start: Start) -> None:
    run = start(minutes=1e-6, tokens=None)
    assert run.run(lambda _: None).step == 1
    assert run.share == 1.0


def test_what_is_held_out_is_not_learnt(start: Start) -> None:
    run = start()
    learnt: set[int] = set()
    learn = run._learnt

    def spy(batch: list[int], mask: float, *others: Any, low: bool) -> Any:
        if mask:
            learnt.update(batch)
        return learn(batch, mask, *others, low=low)

    run._learnt = spy  # type: ignore[method-assign, assignment]
    run.run(lambda _: None)
    assert learnt
    assert not learnt & set(run._held_out)
    assert len(run._held_out) == -(-len(run._rows) // HELD_OUT_EVERY)


def test_layer_k_alone_is_looked_at_first_then_every_upper_layer_too(
    backbone: Backbone, start: Start
) -> None:
    run = start(low=0.5, tokens=2_000)
    seen: list[tuple[float, int]] = []
    learn = run._learnt

    def spy(batch: list[int], mask: float, *others: Any, low: bool) -> Any:
        found = learn(batch, mask, *others, low=low)
        if mask:
            seen.append((run.share, len(found.errors)))
        return found

    run._learnt = spy  # type: ignore[method-assign, assignment]
    run.run(lambda _: None)
    upper = backbone.shape.layers - backbone.split
    assert {count for share, count in seen if share < 0.5} == {1}
    assert {count for share, count in seen if share >= 0.5} == {1 + upper}


@pytest.mark.parametrize(("mask", "orders"), [(0.0, {3}), (0.6, {1, 2, 3})])
def test_some_ngrams_lose_slots_as_they_do_under_back_off(
    pupil: Hplm, start: Start, monkeypatch: pytest.MonkeyPatch, mask: float, orders: set[int]
) -> None:
    run = start(mask=mask, tokens=500)
    met: set[tuple[bool, ...]] = set()
    rows = pupil.encoder.rows

    def spy(grams: Tensor) -> Tensor:
        met.update(tuple(slots) for slots in (grams != ABSENT).tolist())
        return rows(grams)

    monkeypatch.setattr(pupil.encoder, "rows", spy)
    run.run(lambda _: None)
    assert {sum(slots) for slots in met} == orders
    assert met <= {(True, True, True), (False, True, True), (False, True, False)}


def test_the_same_seed_gives_the_same_weights(backbone: Backbone, start: Start) -> None:
    marks = []
    for seed in (5, 5, 6):
        hplm = Hplm.untrained(backbone)
        start(hplm, tokens=500, seed=seed).run(lambda _: None)
        marks.append((hplm.encoder.fingerprint(), hplm.bridge.fingerprint()))
    assert marks[0] == marks[1]
    assert marks[0][0] != marks[2][0]


def test_it_stops_when_it_is_cancelled_and_keeps_what_was_learnt(start: Start) -> None:
    run = start()
    before = _weights(run.hplm.encoder)
    steps = iter([False, False, True])
    with pytest.raises(Cancelled, match="tokens"):
        run.run(lambda _: None, cancelled=lambda: next(steps))
    assert next(steps, None) is None
    assert run.step == 2
    assert any(_changed(before, run.hplm.encoder))


@pytest.mark.parametrize("count", [0, 1, HELD_OUT_EVERY])
def test_a_corpus_too_small_to_hold_anything_out_is_refused(
    backbone: Backbone, pupil: Hplm, lines: list[str], count: int
) -> None:
    with pytest.raises(BadInput, match=f"{count} lines; .* at least 51") as caught:
        Distillation(pupil, backbone, lines[:count], PLAN)
    assert caught.value.code == "corpus_too_small"
    assert "longer corpus" in caught.value.remedy
    Distillation(pupil, backbone, lines[: HELD_OUT_EVERY + 1], PLAN)


def test_no_row_is_longer_than_the_backbone_reads(backbone: Backbone, pupil: Hplm) -> None:
    assert DistilPlan().window > backbone.max_tokens
    long = " ".join(["the film was very good and the plot not dull"] * 5)
    run = Distillation(pupil, backbone, [long] * 30, replace(PLAN, tokens=200))
    assert run.run(lambda _: None).tokens >= 200
