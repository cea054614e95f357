from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge import counts as counting
from engine.knowledge.counts import NgramCounts, choose, count_ngrams
from engine.model.backbone import Backbone
from engine.model.ngrams import ABSENT, order, pack

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


occurrences = st.dictionaries(
    st.tuples(st.integers(1, 3), st.integers(0, 6), st.integers(0, 6)),
    st.integers(1, 9),
    max_size=40,
)


def _made(chosen: dict[tuple[int, int, int], int]) -> NgramCounts:
    grams = [(b if size == 3 else ABSENT, a, b if size > 1 else ABSENT) for size, a, b in chosen]
    merged: Counter[int] = Counter()
    if grams:
        keys = pack(np.array(grams, dtype=np.int64)).tolist()
        for k, n in zip(keys, chosen.values(), strict=True):
            merged[k] += n
    sorted_keys = np.array(sorted(merged), dtype=np.int64)
    return NgramCounts(sorted_keys, np.array([merged[int(k)] for k in sorted_keys], np.int64), 1)


def _reference(found: NgramCounts, alpha: float, limit: int) -> dict[int, int]:
    """The rule, said again and slowly."""
    kept: dict[int, int] = {}
    for wanted in (1, 3, 2):
        pairs = [
            (k, n)
            for k, n in _as_dict(found.keys, found.counts).items()
            if int(order(np.array([k]))[0]) == wanted
        ]
        total, covered = sum(n for _, n in pairs), 0
        for k, n in sorted(pairs, key=lambda pair: (-pair[1], pair[0])):
            if covered >= alpha * total or len(kept) >= limit:
                break
            kept[k] = n
            covered += n
    return kept


@settings(max_examples=120, deadline=None)
@given(occurrences, st.sampled_from([0.05, 0.25, 0.5, 0.9, 1.0]), st.integers(0, 12))
def test_the_choice_equals_the_rule_by_brute_force(
    given_counts: dict[tuple[int, int, int], int], alpha: float, limit: int
) -> None:
    found = _made(given_counts)
    keys, counts = choose(found, alpha, limit)
    assert _as_dict(keys, counts) == _reference(found, alpha, limit)
    assert (np.diff(keys) > 0).all()
    assert len(keys) <= limit


def test_equal_counts_are_chosen_the_same_way_every_time() -> None:
    found = _made({(size, a, 1): 1 for size in (1, 2, 3) for a in range(7)})
    first, second = choose(found, 0.5, 6), choose(found, 0.5, 6)
    assert np.array_equal(first[0], second[0])
    assert order(first[0]).tolist() == [1, 1, 1, 1, 3, 3]


def test_of_nothing_nothing_is_chosen(backbone: Backbone) -> None:
    found = _count(backbone, [])
    assert found.tokens == 0
    assert all(len(part) == 0 for part in choose(found, 1.0, 10))
