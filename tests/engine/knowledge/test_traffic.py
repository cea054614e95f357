from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge.index import MISS
from engine.knowledge.retrieved import Lookups
from engine.knowledge.traffic import Recent, Traffic
from engine.knowledge.view import Segment, TableView
from engine.model.rows import row_bytes

WIDTH = 4
GRAM = 3 << 60
"""The tag of a trigram's key; these tests number trigrams from 1."""
numbers = st.integers(1, 30)
batch = st.dictionaries(numbers, st.integers(1, 9), max_size=12)


def _view(*levels: set[int]) -> TableView:
    def segment(number: int, held: set[int]) -> Segment:
        keys = np.array(sorted(GRAM + n for n in held), dtype=np.int64)
        rows = np.zeros((len(keys), row_bytes(WIDTH)), dtype=np.int8)
        return Segment(f"node-{number}", 1, keys, rows, np.ones(len(keys), dtype=np.int64))

    parts = tuple(segment(number, held) for number, held in enumerate(levels))
    return TableView("node-0", parts, WIDTH)


def _ask(traffic: Traffic, view: TableView, asked: dict[int, int]) -> None:
    """As the retrieve stage counts."""
    keys = np.array(sorted(GRAM + n for n in asked), dtype=np.int64)
    times = np.array([asked[int(k) - GRAM] for k in keys], dtype=np.int64)
    rows = view.find(keys)
    hit = rows != MISS
    view.count(rows[hit], times[hit])
    traffic.add_missed(keys[~hit], times[~hit])
    hits = int(times[hit].sum())
    traffic.add(Lookups(hits, 0, 0, int(times.sum()) - hits))


def _demand(traffic: Traffic, view: TableView) -> dict[int, int]:
    asked = traffic.asked(view)
    assert (np.diff(asked.keys) > 0).all()
    return dict(zip((asked.keys - GRAM).tolist(), asked.times.tolist(), strict=True))


def _hits(view: TableView) -> dict[int, int]:
    keys, hits = view.asked()
    return dict(zip((keys - GRAM).tolist(), hits.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(st.sets(numbers), st.sets(numbers), st.lists(batch, max_size=8))
def test_hits_and_misses_are_the_demand_by_ngram(
    own: set[int], above: set[int], stream: list[dict[int, int]]
) -> None:
    traffic, view = Traffic(), _view(own, above)
    truth: Counter[int] = Counter()
    for asked in stream:
        _ask(traffic, view, asked)
        truth.update(asked)
    assert _demand(traffic, view) == dict(truth)
    assert traffic.asked(view).lookups == truth.total()
    assert _hits(view) == {n: times for n, times in truth.items() if n in own | above}
    assert traffic.recent.lookups == truth.total() == traffic.hits + traffic.misses


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sets(numbers), st.sets(numbers)), min_size=1, max_size=5),
    st.lists(batch, max_size=5),
)
def test_demand_survives_any_number_of_new_views(
    views: list[tuple[set[int], set[int]]], stream: list[dict[int, int]]
) -> None:
    traffic, view = Traffic(), _view(*views[0])
    truth: Counter[int] = Counter()
    for number, asked in enumerate(stream):
        _ask(traffic, view, asked)
        truth.update(asked)
        after = _view(*views[number % len(views)])
        traffic.move(view, after, decay=False)
        view = after
        assert _demand(traffic, view) == dict(truth)
        own, above = views[number % len(views)]
        assert _hits(view) == {n: times for n, times in truth.items() if n in own | above}
        assert traffic.asked(view).lookups == truth.total()
        assert traffic.recent == Recent()


def test_an_update_halves_what_was_asked_before_it() -> None:
    traffic, before, after = Traffic(), _view({1, 2, 3}), _view({2, 4})
    _ask(traffic, before, {1: 8, 2: 9, 3: 1, 4: 6, 5: 7})
    traffic.move(before, after, decay=True)
    assert _demand(traffic, after) == {1: 4, 2: 4, 4: 3, 5: 3}
    assert _hits(after) == {2: 4, 4: 3}
    assert _hits(before) == {1: 8, 2: 9, 3: 1}
    traffic.move(after, before, decay=True)
    assert _demand(traffic, before)[1] == 8 + 2


def test_a_row_that_is_gone_is_a_miss_that_can_be_promoted_again() -> None:
    traffic, full, empty = Traffic(), _view({1}), _view(set())
    _ask(traffic, full, {1: 5})
    traffic.move(full, empty, decay=False)
    assert _hits(empty) == {}
    again = _view({1})
    traffic.move(empty, again, decay=False)
    assert _hits(again) == {1: 5}
    assert traffic.state(again).misses == 0


def test_the_miss_rate_is_that_of_the_present_view() -> None:
    traffic, view = Traffic(), _view({1})
    assert traffic.recent.miss_rate == 0.0
    _ask(traffic, view, {1: 3, 2: 1})
    assert traffic.recent.miss_rate == 0.25
    traffic.move(view, _view({1, 2}), decay=True)
    assert traffic.recent == Recent(0, 0)
    assert (traffic.hits, traffic.misses) == (3, 1)


def test_a_domain_that_never_misses_takes_no_memory() -> None:
    traffic, view = Traffic(), _view({1})
    _ask(traffic, view, {1: 3})
    assert traffic.nbytes == 0
    _ask(traffic, view, {2: 3})
    assert traffic.nbytes > 0


@settings(max_examples=60, deadline=None)
@given(st.sets(numbers), st.sets(numbers), st.lists(batch, max_size=4))
def test_a_restart_forgets_nothing_also_if_the_tables_have_changed(
    before: set[int], after: set[int], stream: list[dict[int, int]]
) -> None:
    traffic, view = Traffic(), _view(before)
    truth: Counter[int] = Counter()
    for asked in stream:
        _ask(traffic, view, asked)
        truth.update(asked)
    again, now = Traffic(), _view(after)
    again.restore(traffic.state(view), now)
    assert _demand(again, now) == dict(truth)
    assert _hits(now) == {n: times for n, times in truth.items() if n in after}
    assert again.recent == traffic.recent
    assert again.asked(now).lookups == truth.total()
    assert again.hits == 0
