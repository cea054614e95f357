"""What the form of a new vPLM lets it start from."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from engine.client import BadInput, Paths
from engine.schema import VplmCreate
from hmi_tui.screens.vplm_start import StartSuggester, start_of
from hmi_tui.widgets.field import FieldRow
from tests.hmi_tui.app.screens import fill, open_app, sees, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.app.scripted_engine.starters import starter


def choose(pilot: Pilot[None], **values: str) -> None:
    """Choose from the lists of the open form, by the fields' names."""
    for row in pilot.app.screen.query(FieldRow):
        if row.field.name in values:
            row.query_one(Select).value = values[row.field.name]


def asked(engine: ScriptedEngine) -> VplmCreate:
    request = engine.called("create_vplm")[0][0]
    assert isinstance(request, VplmCreate)
    return request


async def test_the_vplm_under_the_cursor_is_copied(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab")
        await pilot.app.screen.run_action("copy_vplm")
        await sees(
            pilot, "A copy of acme/model-00001, version 1, not measured", "negative, positive"
        )
        await fill(pilot, name="twin")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app._notifications)
        told = next(iter(pilot.app._notifications)).message
        assert told == "Created vPLM acme/twin from acme/model-00001, with its head."
    made = asked(engine)
    assert (made.from_vplm, made.adapter) == ("acme/model-00001", "random")
    assert (made.labels, made.domain, made.mode, made.task) == ([], None, None, None)


async def test_a_new_one_starts_from_an_earlier_version_of_another_by_its_short_name(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await fill(pilot, name="earlier", which="polarity:2")
        choose(pilot, start="a vPLM")
        await sees(pilot, "A copy of acme/polarity, version 2, accuracy 90.0 %")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.called("create_vplm"))
    assert asked(engine).from_vplm == "acme/polarity:2"


async def test_a_new_one_rests_on_the_backbone_that_was_chosen(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await fill(pilot, name="aaa", labels="no, yes")
        choose(pilot, backbone="small:1")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.called("create_vplm"))
    assert asked(engine).backbone == "small:1"


async def test_a_vplm_is_made_of_the_version_under_the_cursor(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "v")
        await sees(pilot, "Versions of acme/model-00001", "95.0 %")
        await pilot.press("down", "n")
        await sees(pilot, "A copy of acme/model-00001, version 2, accuracy 90.0 %")
        await fill(pilot, name="aaa")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.called("create_vplm"))
        await pilot.press("escape")
        await sees(pilot, "acme/aaa")
    assert asked(engine).from_vplm == "acme/model-00001:2"


async def test_a_version_that_is_not_kept_is_told_before_anything_is_made(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await fill(pilot, name="never", which="polarity:9")
        choose(pilot, start="a vPLM")
        await sees(pilot, "acme/polarity has no version 9. It has kept 3, 2, 1.")


async def test_a_new_one_starts_from_a_starting_point_and_is_told_where_it_learned(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.starter_rows = [starter("tickets"), starter("own", "acme"), starter("theirs", "globex")]
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await fill(pilot, name="desk")
        choose(pilot, start="a starting point", mode="exact")
        await sees(pilot, "Which? tickets:1, acme/own:1.")
        await fill(pilot, which="tickets")
        await sees(pilot, "Starts from tickets:1, accuracy 93.1 %", "! In domain reviews and mode")
        choose(pilot, domain="as its start", mode="as its start")
        await until(pilot, lambda: "! In domain" not in preview_of(pilot))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.called("create_vplm"))
    made = asked(engine)
    assert (made.from_starter, made.domain, made.mode) == ("tickets", None, None)


async def test_half_a_start_is_asked_for_before_the_engine_is(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await fill(pilot, name="half")
        choose(pilot, start="a starting point")
        await sees(pilot, "There is no starting point to start from.")
        await pilot.press("ctrl+s")
        await sees(pilot, "Which? Name a starting point to start from.")
        assert engine.called("create_vplm") == []


def test_a_name_beside_random_is_not_passed_over() -> None:
    with pytest.raises(BadInput, match="names acme/polarity"):
        start_of({"start": "random", "which": "acme/polarity", "tenant": "acme"})


@pytest.mark.parametrize(
    ("kind", "typed", "completed"),
    [
        ("a vPLM", "pol", "polarity"),
        ("a vPLM", "acme/pol", "acme/polarity"),
        ("a vPLM", "spam", None),
        ("a starting point", "tick", "tickets:1"),
        ("random", "pol", None),
    ],
)
async def test_a_name_is_completed_with_what_the_tenant_may_start_from(
    engine: ScriptedEngine, kind: str, typed: str, completed: str | None
) -> None:
    engine.starter_rows = [starter("tickets")]
    suggester = StartSuggester(engine.client, lambda: {"start": kind, "tenant": "acme"})
    assert await suggester.get_suggestion(typed) == completed


async def test_nothing_is_completed_while_nobody_answers(engine: ScriptedEngine) -> None:
    engine.down = True
    suggester = StartSuggester(engine.client, lambda: {"start": "a vPLM", "tenant": "acme"})
    assert await suggester.get_suggestion("pol") is None


async def test_a_vplm_is_published_for_others_to_start_from(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "v")
        await sees(pilot, "Versions of acme/model-00001", "95.0 %")
        await pilot.press("down", "s")
        await sees(pilot, "Publish acme/model-00001, version 2, as a starting point")
        await fill(pilot, name="sentiment", task="good or bad")
        choose(pilot, owner="acme")
        await pilot.press("ctrl+s")
        await sees(pilot, "Published acme/sentiment:1")
    request = engine.called("publish_starter")[0][0]
    assert (request.vplm, request.version) == ("acme/model-00001", 2)
    assert (request.owner, request.card.task) == ("acme", "good or bad")


def preview_of(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#preview").render())


async def test_an_adapter_of_the_store_is_described_before_it_is_used(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "adapters").run_test() as pilot:
        await until(pilot, lambda: len(pilot.app.screen.query("#adapters-table")) == 1)
        await sees(pilot, "Adapters")
        await pilot.press("n")
        await sees(pilot, "New vPLM", "Answers with adapter")
        which = next(
            row for row in pilot.app.screen.query(FieldRow) if row.field.name == "which"
        ).query_one(Input)
        assert len(which.value) == 64
