from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.knowledge.choice import (
    WORTH,
    Choice,
    Demand,
    choose,
    coverage,
    merge,
    wanted_by_several,
)
from engine.knowledge.counts import NgramCounts
from engine.knowledge.traffic import NOTHING_ASKED, Asked
from engine.model.ngrams import ABSENT, order, pack, shortened_keys, unpack

ENTRY = 100
gram = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
trigrams = st.dictionaries(gram, st.integers(1, 9), max_size=40)


def _keys(grams: list[tuple[int, int, int]]) -> np.ndarray:
    return pack(np.array(grams, dtype=np.int64).reshape(-1, 3))


def _corpus(of: dict[tuple[int, int, int], int]) -> NgramCounts:
    """The counts of all orders that these trigrams make."""
    three = _keys(list(of))
    two = shortened_keys(three)
    keys, which = np.unique(np.concatenate([three, two, shortened_keys(two)]), return_inverse=True)
    times = np.tile(np.array(list(of.values()), dtype=np.float64), 3)
    counts = np.bincount(which, weights=times, minlength=len(keys)).astype(np.int64)
    return NgramCounts(keys, counts, sum(of.values()))


def _traffic(of: dict[tuple[int, int, int], int], unnamed: int = 0) -> Asked:
    keys = _keys(list(of))
    by_key = np.argsort(keys)
    times = np.array(list(of.values()), dtype=np.int64)[by_key]
    return Asked(keys[by_key], times, int(times.sum()) + unnamed)


def _weights(demand: Demand) -> dict[int, float]:
    return dict(zip(demand.keys.tolist(), demand.weights.tolist(), strict=True))


def _choose(
    demand: Demand,
    alpha: float = 0.5,
    room: int = 10_000,
    inherited: np.ndarray | None = None,
) -> Choice:
    free = np.zeros(len(demand.keys), dtype=np.bool_) if inherited is None else inherited
    return choose(demand, free, alpha, room * ENTRY, ENTRY)


def _reference(demand: Demand, alpha: float, room: int, free: set[int]) -> set[int]:
    """The rule, said again and slowly."""
    rows = list(
        zip(
            demand.keys.tolist(),
            order(demand.keys).tolist(),
            demand.counts.tolist(),
            demand.times.tolist(),
            demand.weights.tolist(),
            strict=True,
        )
    )
    worth = {key: weight for key, *_, weight in rows}
    named = {key for key, _, counts, times, _ in rows if counts or times}
    kept = {key for key, size, *_ in rows if size == 1 and key in named and key not in free}
    common = set(demand.keys[demand.shared].tolist()) - free - kept
    for size in (1, 3, 2):
        ranked = (key for key, order_, *_ in rows if order_ == size and key in common)
        for key in sorted(ranked, key=lambda k: _place(k, worth)):
            if len(kept) < room:
                kept.add(key)
    held = free | kept
    for size in (3, 2):
        here = [row for row in rows if row[1] == size]
        corpus = sum(counts for key, _, counts, _, _ in here if key in held)
        traffic = sum(times for key, _, _, times, _ in here if key in held)
        mine = [row for row in here if row[0] not in held]
        for key, _, counts, times, _ in sorted(mine, key=lambda r: _place(r[0], worth)):
            for_corpus = corpus < alpha * demand.tokens
            for_traffic = traffic < alpha * demand.lookups and times > 0
            if len(kept) < room and (for_corpus or for_traffic):
                kept.add(key)
            corpus, traffic = corpus + counts, traffic + times
    return kept


def _place(key: int, worth: dict[int, float]) -> tuple[float, float, int]:
    """Best first: what it is worth, what its parts are, its key."""
    a, b, c = unpack(np.array([key]))[0].tolist()
    expected = 0.0
    if a != ABSENT:
        first, second, middle = (
            worth.get(int(_keys([gram])[0]), 0.0)
            for gram in ((ABSENT, a, b), (ABSENT, b, c), (ABSENT, b, ABSENT))
        )
        expected = (first or middle) * second / middle if middle else 0.0
    return -worth[key], -expected, key


@settings(max_examples=200, deadline=None)
@given(
    trigrams,
    trigrams,
    st.sampled_from([0.05, 0.25, 0.5, 0.9, 1.0]),
    st.integers(5, 80),
    st.sets(gram),
    st.sets(gram, max_size=12),
)
def test_the_choice_equals_the_rule_by_brute_force(
    corpus: dict[tuple[int, int, int], int],
    traffic: dict[tuple[int, int, int], int],
    alpha: float,
    room: int,
    held: set[tuple[int, int, int]],
    common: set[tuple[int, int, int]],
) -> None:
    shared = _corpus(dict.fromkeys(common, 1)).keys
    demand = merge(_corpus(corpus), _traffic(traffic), shared=shared)
    inherited = np.isin(demand.keys, _corpus(dict.fromkeys(held, 1)).keys)
    chosen = _choose(demand, alpha, room, inherited)
    expected = _reference(demand, alpha, room, set(demand.keys[inherited].tolist()))
    assert set(chosen.keys.tolist()) == expected
    assert (np.diff(chosen.keys) > 0).all()
    assert len(chosen.keys) <= room
    counts = dict(zip(demand.keys.tolist(), demand.counts.tolist(), strict=True))
    assert chosen.counts.tolist() == [counts[k] for k in chosen.keys.tolist()]


@pytest.mark.parametrize("weight", [0.0, 0.9])
def test_without_traffic_or_weight_for_it_the_corpus_alone_decides(weight: float) -> None:
    found = _corpus({(1, 2, 3): 3, (2, 3, 4): 1})
    asked = NOTHING_ASKED if weight else _traffic({(4, 4, 4): 9})
    demand = merge(found, asked, weight)
    assert np.array_equal(demand.keys, found.keys)
    assert np.allclose(demand.weights, found.counts / 4)


def test_without_a_corpus_the_traffic_alone_decides() -> None:
    demand = merge(_corpus({}), _traffic({(1, 2, 3): 3, (4, 2, 3): 1}))
    chosen = _choose(demand, 0.5)
    assert set(demand.weights.tolist()) == {0.75, 0.25, 1.0}
    assert order(chosen.keys).tolist() == [1, 2, 3]
    assert not chosen.counts.any()


@settings(max_examples=80, deadline=None)
@given(trigrams.filter(len), trigrams.filter(len), st.integers(0, 50), st.floats(0.01, 1))
def test_shares_are_weighed_not_lengths(
    corpus: dict[tuple[int, int, int], int],
    traffic: dict[tuple[int, int, int], int],
    unnamed: int,
    weight: float,
) -> None:
    """Every n-gram is worth its share of the corpus and its share of the traffic, so weighed."""
    found, asked = _corpus(corpus), _traffic(traffic, unnamed)
    demand = merge(found, asked, weight)
    share = weight * asked.lookups / (asked.lookups + weight * found.tokens / WORTH)
    same = _corpus(traffic)
    counted = dict(zip(found.keys.tolist(), found.counts.tolist(), strict=True))
    wanted = dict(zip(same.keys.tolist(), same.counts.tolist(), strict=True))
    for key, value in _weights(demand).items():
        expected = (1 - share) * counted.get(key, 0) / found.tokens
        expected += share * wanted.get(key, 0) / asked.lookups
        assert value == pytest.approx(expected)
    assert set(_weights(demand)) == set(counted) | set(wanted)


def test_a_lookup_is_worth_some_tokens_and_all_of_them_at_most_their_weight() -> None:
    corpus = _corpus({(1, 1, 1): 1_000_000})
    old, new = (int(_keys([gram])[0]) for gram in ((1, 1, 1), (2, 2, 2)))
    for times, ratio in ((1, WORTH), (100, WORTH)):
        worth = _weights(merge(corpus, _traffic({(2, 2, 2): times}), 0.9))
        assert worth[new] / times / (worth[old] / 1_000_000) == pytest.approx(ratio, rel=1e-3)
    worth = _weights(merge(corpus, _traffic({(2, 2, 2): 10**10}), 0.9))
    assert worth[new] == pytest.approx(0.9, rel=1e-3)


def test_what_traffic_names_does_not_draw_in_the_tail_of_the_corpus() -> None:
    """Nine tenths of the traffic were too rare to be named; no corpus can make up for them."""
    corpus = _corpus({(0, 0, 0): 60} | {(i % 5, i // 5, 1): 1 for i in range(20)})
    asked = _traffic({(7, 7, 7): 10}, unnamed=90)
    chosen = _choose(merge(corpus, asked), 0.5).keys
    three = chosen[order(chosen) == 3]
    assert set(three.tolist()) == set(_keys([(0, 0, 0), (7, 7, 7)]).tolist())


def test_of_ngrams_seen_once_those_of_common_parts_are_chosen() -> None:
    common = {(1, 2, 9): 5, (9, 2, 3): 5, (1, 2, 3): 1}
    demand = merge(_corpus(common | {(i, i, i): 1 for i in range(20, 29)}))
    chosen = _choose(demand, 0.55)
    three = chosen.keys[order(chosen.keys) == 3]
    assert set(three.tolist()) == set(_keys(list(common)).tolist())


def test_what_traffic_asks_for_is_promoted_and_what_it_no_longer_asks_for_is_evicted() -> None:
    corpus = _corpus({(i, i, i): 2 for i in range(20)})
    asked = {(30 + i, 1, 1): 3 for i in range(10)}
    room = 20 + 10 + 12
    before, after = (
        set(_choose(merge(corpus, traffic), 1.0, room).keys.tolist())
        for traffic in (NOTHING_ASKED, _traffic(asked))
    )
    wanted = set(_keys(list(asked)).tolist())
    assert wanted <= after
    assert not wanted & before
    assert len(after) <= room
    assert before - after


def test_what_is_inherited_covers_for_nothing() -> None:
    demand = merge(_corpus({(1, 1, 1): 6, (2, 2, 2): 3, (3, 3, 3): 1}))
    inherited = demand.keys == _keys([(1, 1, 1)])[0]
    alone, below = (_choose(demand, 0.5, inherited=held) for held in (None, inherited))
    assert _keys([(1, 1, 1)])[0] in alone.keys
    assert not (order(below.keys) == 3).any()
    deeper = _choose(demand, 0.8, inherited=inherited)
    assert set(deeper.keys[order(deeper.keys) == 3]) == set(_keys([(2, 2, 2)]))


def test_what_several_nodes_want_is_what_at_least_two_have() -> None:
    first, second, third = (np.array(keys) for keys in ([1, 2, 3], [2, 3, 9], [3, 4]))
    assert wanted_by_several([first, second, third]).tolist() == [2, 3]
    assert wanted_by_several([first]).tolist() == []
    assert wanted_by_several([]).tolist() == []


def test_what_is_shared_is_kept_whether_the_corpus_has_it_or_not() -> None:
    corpus = _corpus({(1, 1, 1): 6, (2, 2, 2): 3})
    shared = _keys([(2, 2, 2), (3, 3, 3)])
    chosen = _choose(merge(corpus, shared=shared), 0.5)
    assert set(shared) <= set(chosen.keys)
    assert dict(zip(chosen.keys.tolist(), chosen.counts.tolist(), strict=True))[shared[1]] == 0
    demand = merge(corpus, shared=shared)
    inherited = np.isin(demand.keys, shared)
    assert not set(shared) & set(_choose(demand, 0.5, inherited=inherited).keys)


def test_unigrams_come_first_then_trigrams_then_bigrams() -> None:
    demand = merge(_corpus({(i, i + 10, i + 20): 5 - i for i in range(4)}))
    for room, expected in ((4, [4, 0, 0]), (6, [4, 0, 2]), (9, [4, 1, 4])):
        chosen = _choose(demand, 1.0, room)
        assert np.bincount(order(chosen.keys), minlength=4)[1:].tolist() == expected


def test_a_budget_too_small_for_the_unigrams_says_what_it_takes() -> None:
    demand = merge(_corpus({(i, i, i): 1 for i in range(7)}))
    with pytest.raises(BadInput, match="700") as error:
        _choose(demand, 0.5, room=6)
    assert error.value.code == "budget_too_small"
    assert "at least 700 bytes" in error.value.remedy
    assert len(_choose(demand, 0.5, room=7).keys) == 7
    inherited = order(demand.keys) == 1
    assert len(_choose(demand, 0.5, room=0, inherited=inherited).keys) == 0


def test_equal_weights_are_chosen_the_same_way_every_time() -> None:
    demand = merge(_corpus({(i, i, i): 1 for i in range(7)}))
    first, second = _choose(demand, 0.5, 10), _choose(demand, 0.5, 10)
    assert np.array_equal(first.keys, second.keys)


def test_of_nothing_nothing_is_chosen() -> None:
    demand = merge(_corpus({}))
    assert len(_choose(demand, 1.0, 0).keys) == 0
    assert coverage(demand, np.zeros(0, dtype=np.bool_)) == 0.0


def test_coverage_is_of_trigrams_by_what_they_are_worth() -> None:
    demand = merge(_corpus({(1, 1, 1): 6, (2, 2, 2): 2}))
    seen = (demand.keys == _keys([(1, 1, 1)])[0]) | (demand.keys == _keys([(ABSENT, 2, 2)])[0])
    assert coverage(demand, seen) == 0.75
    assert coverage(demand, np.ones(len(demand.keys), dtype=np.bool_)) == 1.0
