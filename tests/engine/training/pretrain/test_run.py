from __future__ import annotations

from math import exp, log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import BadInput, Cancelled
from engine.training.pretrain.corpus import Ids
from engine.training.pretrain.decoder import DecoderShape, new_decoder, optimizers
from engine.training.pretrain.run import Pretraining, PretrainPlan, PretrainProgress, foretell, rate
from tests.engine.training.pretrain.conftest import PLAN


def ignore(_: PretrainProgress) -> None:
    pass


class Uniform:
    """Takes every token for as likely as any other."""

    config = SimpleNamespace(n_positions=16)

    def eval(self) -> None:
        pass

    def __call__(self, input_ids: Tensor) -> Any:
        assert input_ids.shape[1] <= 16
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 50))


@pytest.mark.parametrize("length", [2, 9, 16, 17, 18, 40, 333])
def test_every_token_but_the_first_is_foretold_once(length: int) -> None:
    found = foretell(Uniform(), [np.zeros(length, dtype=np.int64)] * 2, 1000)
    assert found.tokens == 2 * (length - 1)
    assert found.perplexity == pytest.approx(50)
    assert found.bits_per_byte == pytest.approx(found.tokens * log(50) / log(2) / 1000)


@torch.no_grad()
def test_a_short_text_is_foretold_as_the_model_says() -> None:
    model = new_decoder(PLAN.shape, 0.0, 3).eval()
    row = np.arange(12, dtype=np.int64)
    said = model(torch.from_numpy(row)[None]).logits[0].log_softmax(-1)
    loss = -float(said[range(11), row[1:]].mean())
    assert foretell(model, [row], 1).perplexity == pytest.approx(exp(loss), rel=1e-5)


@torch.no_grad()
def test_a_long_text_has_half_a_context_before_every_token() -> None:
    model = new_decoder(PLAN.shape, 0.0, 3).eval()
    row = np.random.default_rng(0).integers(0, 300, 40)
    nats = 0.0
    for at in range(1, len(row)):
        # Nine tokens are new in each further window: half a context, and the last target.
        window = 0 if at <= 16 else 9 * ((at - 17) // 9 + 1)
        ids = torch.from_numpy(row[window:at])[None]
        nats -= float(model(ids).logits[0, -1].log_softmax(-1)[row[at]])
        assert at - window >= 8 or window == 0
    assert foretell(model, [row], 1).nats == pytest.approx(nats, rel=1e-4)


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    shares = np.linspace(0, 1, 101)
    rates = [rate(float(share), 0.4) for share in shares]
    assert rates[0] < 0.1
    assert rates[3:60] == [1.0] * 57
    assert rates[80] == pytest.approx(0.5)
    assert rates[-1] == 0.0


def test_a_strict_text_is_learnt(rows: list[Ids]) -> None:
    run = Pretraining(rows, PLAN, torch.float32)
    seen: list[PretrainProgress] = []
    before = run.progress(25_000, 0.0).held_out
    run.run(25_000, seen.append, report_s=1e9)
    assert before > 200
    assert seen[-1].held_out < 4
    assert seen[-1].share == 1.0
    assert run.tokens == -(-25_000 // 256) * 256


def test_measuring_the_speed_teaches_nothing(
    rows: list[Ids], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.pretrain.run._MEASURED_S", 0.05)
    run = Pretraining(rows, PLAN, torch.float32)
    before = [p.clone() for p in run.model.parameters()]
    assert run.speed() > 0
    assert all(p.grad is None for p in run.model.parameters())
    for old, new in zip(before, run.model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_a_stop_is_heard_and_keeps_what_was_learnt(rows: list[Ids]) -> None:
    run = Pretraining(rows, PLAN, torch.float32)
    with pytest.raises(Cancelled, match="768 tokens"):
        run.run(25_000, ignore, lambda: run.step == 3)
    assert run.step == 3


def test_numbers_that_explode_end_the_run_with_a_remedy(rows: list[Ids]) -> None:
    run = Pretraining(rows, PretrainPlan(PLAN.shape, lr=1e30, batch_tokens=256), torch.float32)
    with pytest.raises(BadInput, match="no longer finite") as error:
        run.run(25_000, ignore)
    assert "--lr" in error.value.remedy


def test_every_parameter_has_one_optimizer() -> None:
    model = new_decoder(PLAN.shape, 0.0, 0)
    owned = [p for o in optimizers(model, 1e-3) for g in o.param_groups for p in g["params"]]
    assert sorted(map(id, owned)) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("sizes", [{"hidden": 30, "heads": 4}, {"vocabulary": 256}])
def test_sizes_that_make_no_decoder_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(BadInput) as error:
        DecoderShape(**sizes)
    assert "--heads" in error.value.remedy or "257" in error.value.remedy
