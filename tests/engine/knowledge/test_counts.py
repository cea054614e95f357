from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge import counts as counting
from engine.knowledge.counts import NgramCounts, count_ngrams
from engine.model.backbone import Backbone
from engine.model.ngrams import ABSENT, pack

WORDS = ["the", "film", "was", "good", "bad", "not", "very", "!"]
lines_of_words = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=12)
BOUNDARY = 99


def _count(backbone: Backbone, lines: list[str]) -> NgramCounts:
    return count_ngrams(backbone, lines, BOUNDARY)


def _by_hand(backbone: Backbone, lines: list[str]) -> Counter[tuple[int, int, int]]:
    found: Counter[tuple[int, int, int]] = Counter()
    for line in lines:
        ids = backbone.cut(backbone.tokenize([line])[0])[0]
        edged = [BOUNDARY, *ids, BOUNDARY]
        for a, b, c in zip(edged, ids, edged[2:], strict=False):
            found.update([(a, b, c), (ABSENT, b, c), (ABSENT, b, ABSENT)])
    return found


def _as_dict(keys: np.ndarray, counts: np.ndarray) -> dict[int, int]:
    return dict(zip(keys.tolist(), counts.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(lines_of_words)
def test_ngrams_of_all_orders_are_counted_as_by_hand(backbone: Backbone, lines: list[str]) -> None:
    found = _count(backbone, lines)
    truth = {
        int(pack(np.array([gram], dtype=np.int64))[0]): n
        for gram, n in _by_hand(backbone, lines).items()
    }
    assert _as_dict(found.keys, found.counts) == truth
    assert (np.diff(found.keys) > 0).all()
    for size in (1, 2, 3):
        assert int(found.of_order(size)[1].sum()) == found.tokens


def test_counting_in_blocks_and_folding_early_changes_nothing(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [" ".join(WORDS[i % 5 : i % 5 + 3]) for i in range(40)]
    whole = _count(backbone, lines)
    monkeypatch.setattr(counting, "_BLOCK", 7)
    monkeypatch.setattr(counting, "_FOLD", 10)
    seen: list[int] = []
    parts = count_ngrams(backbone, iter(lines), BOUNDARY, seen.append)
    assert _as_dict(parts.keys, parts.counts) == _as_dict(whole.keys, whole.counts)
    assert parts.tokens == whole.tokens
    assert seen == [7, 14, 21, 28, 35, 40]


def test_a_line_longer_than_the_backbone_reads_is_counted_as_far_as_it_is_served(
    backbone: Backbone,
) -> None:
    assert _count(backbone, ["good film " * 50]).tokens == backbone.max_tokens


def test_of_nothing_nothing_is_counted(backbone: Backbone) -> None:
    found = _count(backbone, [])
    assert found.tokens == 0
    assert len(found.keys) == len(found.counts) == 0
