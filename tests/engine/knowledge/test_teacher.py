from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.knowledge.teacher import Teacher
from engine.model.backbone import Backbone
from engine.model.packing import Packing

TEXTS = ["a good film", "the plot was dull, very dull", "refund", "my card is not back please"]
HALF = 2e-3
"""Remembered states are rounded to float16; others of another batch size round differently."""


@pytest.fixture
def rows(backbone: Backbone) -> list[list[int]]:
    return backbone.tokenize(TEXTS)


@pytest.fixture
def asked(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens went through the lower layers, call by call."""
    told: list[int] = []
    lower = type(backbone).lower

    def spy(self: Backbone, ids: Tensor, packing: Packing) -> Tensor:
        told.append(len(ids))
        return lower(self, ids, packing)

    monkeypatch.setattr(type(backbone), "lower", spy)
    return told


def _truth(backbone: Backbone, rows: list[list[int]], which: list[int]) -> Tensor:
    ids = torch.tensor([token for row in which for token in rows[row]])
    return backbone.lower(ids, Packing.of([len(rows[row]) for row in which]))


@pytest.mark.parametrize("budget", [0, 700, 1 << 20], ids=["nothing", "some", "all"])
def test_it_says_what_the_lower_layers_say_remembered_or_not(
    backbone: Backbone, rows: list[list[int]], budget: int
) -> None:
    teacher = Teacher(backbone, rows, budget)
    for which in ([2, 0], [1, 3], [3, 2, 1, 0], [0], [0, 1, 2, 3]):
        states = teacher.states(which)
        assert states.dtype == torch.float32
        assert not states.requires_grad
        torch.testing.assert_close(states, _truth(backbone, rows, which), rtol=HALF, atol=HALF)


def test_with_room_each_row_is_computed_once(
    backbone: Backbone, rows: list[list[int]], asked: list[int]
) -> None:
    teacher = Teacher(backbone, rows)
    for which in ([2, 0], [3, 2, 1, 0], [1, 2], [0, 1, 2, 3]):
        teacher.states(which)
    sizes = [len(row) for row in rows]
    assert asked == [sizes[2] + sizes[0], sizes[3] + sizes[1]]


def test_what_does_not_fit_is_computed_again_and_alone(
    backbone: Backbone, rows: list[list[int]], asked: list[int]
) -> None:
    sizes = [len(row) for row in rows]
    teacher = Teacher(backbone, rows, budget=sizes[0] * backbone.shape.hidden * 2)
    for which in ([0], [1, 0], [1], [0]):
        teacher.states(which)
    assert asked == [sizes[0], sizes[1], sizes[1]]


def test_what_is_remembered_stays_within_the_budget(
    backbone: Backbone, rows: list[list[int]]
) -> None:
    teacher = Teacher(backbone, rows, budget=900)
    for which in ([0, 2], [2, 3], [1, 3], [2]):
        teacher.states(which)
    kept = sum(t.numel() * t.element_size() for t in teacher._kept.values())
    assert 0 < kept <= 900


def test_other_tokens_instead_of_a_row_are_seen_and_not_remembered(
    backbone: Backbone, rows: list[list[int]]
) -> None:
    teacher = Teacher(backbone, rows)
    for which in ([1, 0], [0, 2, 1]):
        changed = [*rows[1][:3], rows[2][1], rows[1][-1]]
        expected = [changed if row == 1 else rows[row] for row in which]
        states = teacher.states(which, {1: changed})
        truth = _truth(backbone, expected, list(range(len(expected))))
        torch.testing.assert_close(states, truth, rtol=HALF, atol=HALF)
    truth = _truth(backbone, rows, [1, 2])
    torch.testing.assert_close(teacher.states([1, 2]), truth, rtol=HALF, atol=HALF)
