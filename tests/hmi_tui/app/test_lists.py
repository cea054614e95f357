"""One grammar for every list of every mode; what an operator chose survives every refresh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.screens.facts import Facts
from hmi_tui.widgets.columns import arranged
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import JOBS
from tests.hmi_tui.app.engine_documents import job
from tests.hmi_tui.app.screens import WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

MODES = list(HmiApp.MODES)
TICKS = 14
"""Longer than any list waits before it is read again."""


@asynccontextmanager
async def lists_of(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> AsyncIterator[tuple[Pilot[None], list[Listing[Any]]]]:
    """The lists of a mode that have rows."""
    async with open_app(paths, engine, mode).run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        found = list(pilot.app.screen.query(Listing))
        await until(pilot, lambda: all(one.table.loaded for one in found), "the lists")
        yield pilot, [one for one in found if one.table.total]


async def enter(pilot: Pilot[None], listing: Listing[Any]) -> PagedView[Any]:
    listing.table.focus()
    await until(pilot, lambda: listing.table.has_focus, "the list's focus")
    return listing.table


async def some_refreshes(pilot: Pilot[None], engine: ScriptedEngine) -> None:
    now = engine.statuses
    await until(pilot, lambda: engine.statuses > now + TICKS, "refreshes")


@pytest.mark.parametrize("mode", MODES)
async def test_slash_filters_enter_keeps_and_esc_clears(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> None:
    async with lists_of(paths, engine, mode) as (pilot, lists):
        for listing in lists:
            table = await enter(pilot, listing)
            await pilot.press("/", "e")
            await until(pilot, partial(lambda table: table.q == "e", table), "the filter")
            await pilot.press("enter")
            assert (table.q, table.has_focus) == ("e", True)
            await pilot.press("escape")
            await until(pilot, partial(lambda table: table.q == "", table), "no filter")
            assert table.has_focus


@pytest.mark.parametrize("mode", MODES)
async def test_space_marks_and_c_copies_the_marked_or_the_one_here(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> None:
    async with lists_of(paths, engine, mode) as (pilot, lists):
        for listing in lists:
            table = await enter(pilot, listing)
            await until(pilot, partial(lambda table: table.current, table), "a row")
            here = table.key_of(table.current)
            await pilot.press("c")
            assert pilot.app.clipboard == here
            await pilot.press("space", "space")
            marked = sorted(table.marked)
            assert here in marked
            await pilot.press("c")
            assert pilot.app.clipboard == "\n".join(marked or [here])
            await pilot.press("escape")
            assert table.marked == set()


@pytest.mark.parametrize("mode", MODES)
async def test_d_describes_the_row(paths: Paths, engine: ScriptedEngine, mode: str) -> None:
    async with lists_of(paths, engine, mode) as (pilot, lists):
        for listing in lists:
            await enter(pilot, listing)
            await pilot.press("d")
            await until(pilot, lambda: isinstance(pilot.app.screen, ModalScreen), "a window")
            assert isinstance(pilot.app.screen, Facts)
            await pilot.press("escape")


@pytest.mark.parametrize("mode", MODES)
async def test_capitals_sort_and_reverse(paths: Paths, engine: ScriptedEngine, mode: str) -> None:
    async with lists_of(paths, engine, mode) as (pilot, lists):
        for listing in lists:
            table = await enter(pilot, listing)
            sortable = [column for column in listing.table.columns if column.key]
            assert sortable, f"{listing.title} cannot be sorted"
            assert len({column.key for column in sortable}) == len(sortable)
            for column in sortable:
                await pilot.press(column.key)
                first = table.sort
                await pilot.press(column.key)
                assert {first, table.sort} == {column.sort, "-" + column.sort}


@pytest.mark.parametrize("mode", MODES)
async def test_what_was_chosen_survives_every_refresh(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> None:
    async with lists_of(paths, engine, mode) as (pilot, lists):
        for listing in lists:
            table = await enter(pilot, listing)
            column = next(column for column in listing.table.columns if column.key)
            await pilot.press(column.key, "space", "/", "e", "enter", "end")
            await until(
                pilot, partial(lambda table: table.q == "e" and table.current, table), "the filter"
            )
            await pilot.press("end")

        def state(table: PagedView[Any]) -> tuple[object, ...]:
            here = table.current and table.key_of(table.current)
            return here, table.scroll_offset.y, table.q, table.sort, frozenset(table.marked)

        chosen = [state(listing.table) for listing in lists]
        await some_refreshes(pilot, engine)
        assert [state(listing.table) for listing in lists] == chosen


async def test_a_row_that_vanishes_leaves_the_cursor_where_it_was(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with lists_of(paths, engine, "domains") as (pilot, lists):
        table = await enter(pilot, lists[0])
        await pilot.press("down", "down")
        engine.domain_rows = [row for row in engine.domain_rows if row.name != "reviews"]
        await until(pilot, lambda: table.total == 3, "one domain less")
        assert table.cursor == 2


async def test_domains_are_sorted_below_their_parent(paths: Paths, engine: ScriptedEngine) -> None:
    async with lists_of(paths, engine, "domains") as (pilot, lists):
        await enter(pilot, lists[0])
        await pilot.press("H", "H")
        await sees(pilot, "hits▼", "├─ reviews", "└─ news")
        await pilot.press("N")
        await sees(pilot, "├─ news", "└─ reviews")


async def test_n_grams_are_sorted_and_described(paths: Paths, engine: ScriptedEngine) -> None:
    async with lists_of(paths, engine, "domains") as (pilot, lists):
        await enter(pilot, lists[1])
        await pilot.press("N")
        await until(pilot, lambda: "› a gorgeous ," in text_of(pilot))  # noqa: RUF001
        await pilot.press("d")
        await sees(pilot, "token ids", "1 2 3", "in the corpus")


def test_what_has_no_value_comes_last_either_way() -> None:
    jobs = [job("a", "x/a", "queued", accuracy=[]), job("b", "x/b", "running")]
    for sort in ("accuracy", "-accuracy"):
        assert [one.id for one in arranged(jobs, JOBS, sort)] == ["b", "a"]
    assert [one.id for one in arranged(jobs, JOBS, None)] == ["a", "b"]
