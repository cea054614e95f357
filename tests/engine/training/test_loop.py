from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import BadInput, Cancelled
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.view import TableView
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import Backbone
from engine.training.loop import TrainPlan, TrainReport, train
from engine.training.tasks.classification import Classification

LABELS = ("bad", "good")
EPOCHS = 12
ROWS = [
    (f"{article} {noun} {verb} {word}", label)
    for article in ("the", "a", "my")
    for noun in ("film", "movie", "plot", "order", "card")
    for verb in ("was", "is")
    for word, label in (("good", "good"), ("great", "good"), ("bad", "bad"), ("dull", "bad"))
]


@pytest.fixture
def knowledge(hplm: Hplm, empty_view: TableView) -> Knowledge:
    return Knowledge("general", 0, empty_view, hplm.encoder, hplm.bridge)


def start(backbone: Backbone, labels: int = 2, rank: int = 4) -> AdapterWeights:
    shape = AdapterShape(backbone.shape.layers - backbone.split, backbone.shape.hidden, rank)
    return random_adapter(shape, labels, torch.Generator().manual_seed(3))


def run(
    backbone: Backbone, knowledge: Knowledge, report: TrainReport | None = None, **plan: Any
) -> AdapterWeights:
    return train(
        backbone,
        knowledge,
        start(backbone),
        Classification(LABELS, ROWS),
        TrainPlan(**{"epochs": EPOCHS, "lr": 1e-2, "batch_size": 8, **plan}),
        report or TrainReport(),
        tick=lambda: None,
        cancelled=lambda: False,
    )


@pytest.mark.parametrize(("mode", "optimizer"), [("plot", "adamw"), ("exact", "adam")])
def test_a_separable_task_is_learnt(
    backbone: Backbone, knowledge: Knowledge, mode: str, optimizer: str
) -> None:
    report = TrainReport()
    run(backbone, knowledge, report, mode=mode, optimizer=optimizer)
    assert report.accuracy[-1][1] >= 0.9
    # What guessing costs; the series is too short here to compare its ends.
    assert report.loss[-1][1] < np.log(len(LABELS))
    assert (report.rows, report.held_out, report.truncated) == (120, 12, 0)
    assert report.step == EPOCHS * 14
    assert [step for step, _ in report.accuracy] == [14 * (i + 1) for i in range(EPOCHS)]
    assert "held-out accuracy" in report.message


def test_sgd_lowers_the_loss(backbone: Backbone, knowledge: Knowledge) -> None:
    short, long = TrainReport(), TrainReport()
    run(backbone, knowledge, short, optimizer="sgd", lr=0.05, epochs=1)
    run(backbone, knowledge, long, optimizer="sgd", lr=0.05, epochs=5)
    assert long.loss[-1][1] < short.loss[-1][1]


def test_training_changes_nothing_but_adapter_and_head(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    frozen = {
        f"layer {i} {name}": t
        for i, layer in enumerate(backbone.layers)
        for name, t in layer.tensors().items()
    }
    frozen |= backbone.embeddings.tensors()
    for part in (knowledge.encoder, knowledge.bridge):
        frozen |= {f"{type(part).__name__} {name}": t for name, t in part.state_dict().items()}
    before = {name: t.clone() for name, t in frozen.items()}
    begin = start(backbone)
    trained = run(backbone, knowledge, epochs=1)
    for name, t in frozen.items():
        assert torch.equal(t, before[name]), name
        assert not t.requires_grad
        assert t.grad is None
    for name, t in trained.tensors().items():
        assert not torch.equal(t, begin.tensors()[name]), name


def test_the_adapter_it_starts_from_is_left_alone(backbone: Backbone, knowledge: Knowledge) -> None:
    begin = start(backbone)
    kept = {name: t.clone() for name, t in begin.tensors().items()}
    train(
        backbone,
        knowledge,
        begin,
        Classification(LABELS, ROWS),
        TrainPlan(epochs=1),
        TrainReport(),
        tick=lambda: None,
        cancelled=lambda: False,
    )
    assert all(torch.equal(t, kept[name]) for name, t in begin.tensors().items())


def test_the_same_seed_gives_the_same_adapter(backbone: Backbone, knowledge: Knowledge) -> None:
    first, again, other = (run(backbone, knowledge, epochs=2, seed=s) for s in (5, 5, 6))
    for name, t in first.tensors().items():
        assert torch.equal(t, again.tensors()[name]), name
    assert not torch.equal(first.head, other.head)


def test_what_comes_back_is_rounded_as_it_will_be_stored(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    trained = run(backbone, knowledge, epochs=1)
    for name, t in trained.tensors().items():
        assert torch.equal(t, t.half().float()), name
        assert not t.requires_grad


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_cancelled_run_stops_at_its_next_step(
    backbone: Backbone, knowledge: Knowledge, after: int
) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    with pytest.raises(Cancelled, match="goes on as it was"):
        train(
            backbone,
            knowledge,
            start(backbone),
            Classification(LABELS, ROWS),
            TrainPlan(epochs=100),
            TrainReport(),
            tick=lambda: None,
            cancelled=cancelled,
        )
    assert asked == after + 1


def test_a_loss_that_explodes_is_said_with_the_rate_to_lower(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    with pytest.raises(BadInput, match="no longer finite") as error:
        run(backbone, knowledge, optimizer="sgd", lr=1e38)
    assert error.value.code == "loss_exploded"
    assert "lower learning rate than 1e+38" in error.value.remedy


def test_weights_too_large_to_store_are_refused_although_the_loss_is_finite(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    with pytest.raises(BadInput) as error:
        run(backbone, knowledge, optimizer="sgd", lr=3e6, epochs=1)
    assert error.value.code == "loss_exploded"


def test_progress_never_falls_and_says_what_happens(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    report = TrainReport()
    seen: list[tuple[float, str]] = []
    train(
        backbone,
        knowledge,
        start(backbone),
        Classification(LABELS, ROWS),
        TrainPlan(epochs=2),
        report,
        tick=lambda: seen.append((report.progress, report.message)),
        cancelled=lambda: False,
    )
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1
    assert any("computing lower layers" in message for _, message in seen)
    assert any(message.startswith("epoch 2 of 2") for _, message in seen)


def test_long_texts_are_cut_and_counted(backbone: Backbone, knowledge: Knowledge) -> None:
    report = TrainReport()
    train(
        backbone,
        knowledge,
        start(backbone),
        Classification(
            LABELS,
            [("good " * 40, "good"), ("bad film", "bad"), ("good film", "good"), ("dull", "bad")],
        ),
        TrainPlan(epochs=1),
        report,
        tick=lambda: None,
        cancelled=lambda: False,
    )
    assert report.truncated == 1
