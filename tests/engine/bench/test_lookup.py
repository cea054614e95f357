from __future__ import annotations

import numpy as np
import pytest

from engine.bench.gather import GatherPlan, measure_gather, render_gather
from engine.bench.lookup import (
    LookupCell,
    LookupPlan,
    _distinct,
    _draw,
    _fill,
    _sides,
    measure_lookup,
    render_lookup,
)
from engine.knowledge.index import MISS
from engine.model.ngrams import pack

SMALL = LookupPlan((300, 2000), (0.5, 1.0), (64, 512), lookups=1, seed=3)


def test_every_size_is_crossed_with_every_hit_rate_and_batch(said: list[str]) -> None:
    sizes, cells = measure_lookup(SMALL, said.append)
    assert [size.entries for size in sizes] == [300, 2000]
    assert [(c.entries, c.hit_rate, c.batch) for c in cells] == [
        (entries, hits, batch)
        for entries in (300, 2000)
        for hits in (0.5, 1.0)
        for batch in (64, 512)
    ]
    assert len(said) == 2
    shown = render_lookup(sizes, cells)
    assert "FIND NS" in shown
    assert "2,000" in shown


def test_an_index_is_smaller_than_a_dictionary() -> None:
    size = _fill(2000, np.random.default_rng(0)).size
    assert 12 < size.index_bytes <= 24
    assert size.dict_bytes > 3 * size.index_bytes


def test_ratios_compare_what_starts_from_the_same() -> None:
    cell = LookupCell(1, 1.0, 1, find_ns=10.0, dict_ns=200.0, pack_find_ns=20.0, tuple_ns=300.0)
    assert (cell.over_dict, cell.over_tuples) == (20.0, 15.0)


@pytest.mark.parametrize("hit_rate", [0.0, 0.3, 1.0])
def test_a_batch_holds_the_share_of_hits_that_was_asked_for(hit_rate: float) -> None:
    rng = np.random.default_rng(1)
    contents = _fill(500, rng)
    found = contents.index.find(pack(_draw(contents, hit_rate, 200, rng)))
    assert (found != MISS).sum() == round(200 * hit_rate)


def test_all_sides_find_the_same() -> None:
    rng = np.random.default_rng(2)
    contents = _fill(400, rng)
    drawn = [_draw(contents, 0.6, 100, rng) for _ in range(2)]
    sides = _sides(contents, drawn)

    def found(side: str) -> list[list[int | None]]:
        return [
            [None if row in (None, MISS) else int(row) for row in batch]
            for batch in sides[side]()  # type: ignore[attr-defined]
        ]

    assert found("find") == found("dict") == found("pack_find") == found("tuple")


def test_random_ngrams_are_all_different() -> None:
    grams = _distinct(5000, np.random.default_rng(0))
    assert len(np.unique(pack(grams))) == len(grams) == 5000


def test_rows_are_gathered_with_all_and_with_a_part_of_the_table_in_memory(
    said: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plan = GatherPlan(table_bytes=1 << 20, cache_bytes=1 << 18, width=60, batches=(16, 64))
    cells = measure_gather(plan, said.append)
    assert [(c.resident, c.batch) for c in cells] == [(1.0, 16), (1.0, 64), (0.25, 16), (0.25, 64)]
    assert all(c.row_ns > 0 for c in cells)
    assert cells[0].faults_per_row == 0
    assert "25%" in render_gather(cells)
