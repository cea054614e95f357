from __future__ import annotations

from types import SimpleNamespace

import pytest

from hmi_tui import paging
from hmi_tui.paging import KEPT_PAGES, PAGE, Page, Pages, Query, fixed


def counting(total: int) -> tuple[list[Query], Pages[int]]:
    asked: list[Query] = []
    whole = fixed(range(total))

    async def source(query: Query) -> Page[int]:
        asked.append(query)
        return await whole(query)

    return asked, Pages(source)


async def test_only_the_pages_in_view_are_read() -> None:
    asked, pages = counting(10_000)
    await pages.read(0, 40)
    assert (len(asked), pages.total, pages.row(7), pages.row(PAGE)) == (1, 10_000, 7, None)


async def test_the_last_row_of_ten_thousand_is_reached_page_by_page() -> None:
    asked, pages = counting(10_000)
    await pages.read(9_999, 9_999)
    assert pages.row(9_999) == 9_999
    assert len(asked) == 10_000 // PAGE


async def test_the_cache_is_bounded_and_the_way_back_is_one_read() -> None:
    asked, pages = counting(10_000)
    await pages.read(9_999, 9_999)
    assert sum(pages.row(n * PAGE) is not None for n in range(50)) <= KEPT_PAGES
    before = len(asked)
    await pages.read(0, 40)
    assert pages.row(0) == 0
    assert len(asked) == before + 1


async def test_rows_that_went_away_are_forgotten() -> None:
    rows = list(range(500))

    async def source(query: Query) -> Page[int]:
        return await fixed(rows)(query)

    pages = Pages(source)
    await pages.read(0, 499)
    del rows[10:]
    await pages.read(0, 40, again=True)
    assert (pages.total, pages.row(9), pages.row(10), pages.row(300)) == (10, 9, None, None)


async def test_a_row_is_found_among_those_read() -> None:
    _, pages = counting(500)
    await pages.read(0, 250)
    assert pages.find(lambda row: row == 230) == 230
    assert pages.find(lambda row: row == 499) is None


async def test_rows_are_as_old_as_the_page_in_view_that_was_read_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(paging, "time", SimpleNamespace(monotonic=lambda: now))
    _, pages = counting(500)
    assert pages.age(0, 40) == 0.0
    await pages.read(0, 40)
    now = 130.0
    await pages.read(PAGE, PAGE + 40)
    assert (pages.age(0, 40), pages.age(PAGE, PAGE + 40)) == (30.0, 0.0)
    assert pages.age(PAGE - 10, PAGE + 30) == 30.0
    await pages.read(0, 40, again=True)
    assert pages.age(PAGE - 10, PAGE + 30) == 0.0
