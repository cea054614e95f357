from __future__ import annotations

import time
from functools import partial

from textual.pilot import Pilot
from textual.widgets import Select

from engine.client import Paths
from engine.schema import Cost, Quota, Tenant, Vplm
from hmi_tui.screens.playground import PlaygroundScreen
from hmi_tui.screens.tenants import TenantsScreen
from hmi_tui.widgets.virtual_table import VirtualTable
from tests.hmi_tui.app.engine_documents import tenant, vplm
from tests.hmi_tui.app.screens import NARROW, WIDE, fill, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


def screen_of(pilot: Pilot[None]) -> TenantsScreen:
    screen = pilot.app.screen
    assert isinstance(screen, TenantsScreen)
    return screen


def vplm_of(pilot: Pilot[None]) -> Vplm:
    current = screen_of(pilot).vplms.table.current
    assert current is not None
    return current


async def test_the_vplms_are_those_of_the_tenant_under_the_cursor(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "vPLMs of acme", "acme/model-00001")
        await pilot.press("down")
        await sees(pilot, "vPLMs of globex", "globex/spam")
        await pilot.press("a")
        await sees(pilot, "vPLMs of all tenants", "of 30")


async def test_a_tenant_is_created_and_its_key_shown_once(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "globex")
        await pilot.press("n")
        await sees(pilot, "New tenant")
        await fill(pilot, name="initech", weight="2.5")
        await pilot.press("enter")
        await sees(pilot, "Key of initech", "Shown this once", "hmi-secret-key")
        await pilot.press("escape")
        await sees(pilot, "initech")
        assert engine.called("create_tenant") == [("initech", 2.5)]


async def test_a_form_says_what_is_wrong_and_keeps_what_was_typed(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "globex")
        await pilot.press("n")
        await sees(pilot, "New tenant")
        for name, weight, complaint in (
            ("No Spaces", "1", "Small letters, digits"),
            ("ok", "much", "A number is wanted here."),
            ("ok", "-1", "greater than 0"),
            ("acme", "1", 'Tenant "acme" exists already.'),
        ):
            await fill(pilot, name=name, weight=weight)
            await pilot.press("enter")
            await sees(pilot, complaint, name)
        await pilot.press("escape")
        assert len(engine.tenant_rows) == 2


async def test_a_tenants_weight_and_quota_are_changed(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "globex")
        await pilot.press("e")
        await fill(pilot, weight="3", rps="20")
        await pilot.press("enter")
        await until(pilot, lambda: engine.called("change_tenant"))
        name, weight, quota = engine.called("change_tenant")[0]
        assert (name, weight, quota.rps, quota.vplms) == ("acme", 3.0, 20.0, None)


async def test_a_tenant_is_deleted_only_after_its_name_was_confirmed(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "globex")
        screen = pilot.app.screen
        await pilot.press("down", "x")
        await sees(pilot, "Delete tenant globex?", "Its 3 vPLMs")
        await pilot.press("enter")
        assert engine.called("remove_tenant") == []
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("x")
        await sees(pilot, "Delete tenant globex?")
        await pilot.press("y")
        await until(pilot, lambda: engine.called("remove_tenant") == [("globex",)])
        await until(pilot, lambda: "globex" not in text_of(pilot))


async def test_a_key_is_rotated(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme")
        await pilot.press("r")
        await sees(pilot, "Make a new key for acme?")
        await pilot.press("y")
        await sees(pilot, "Key of acme", "hmi-new-key")


async def test_one_vplm_is_created(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await sees(pilot, "New vPLM")
        await fill(pilot, name="aaa", labels="bad, fine, good")
        await pilot.press("enter")
        await sees(pilot, "acme/aaa")
        request = engine.called("create_vplm")[0][0]
        assert (request.tenant, request.labels) == ("acme", ["bad", "fine", "good"])


async def test_many_vplms_are_created_at_once(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await sees(pilot, "New vPLM")
        await fill(pilot, name="bulk", labels="no, yes", count="120")
        await pilot.press("enter")
        await sees(pilot, "Created 120 vPLMs", "acme/bulk-00001")
        assert screen_of(pilot).vplms.table.total == 147


async def test_labels_that_repeat_are_refused_at_their_field(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "n")
        await fill(pilot, name="twice", labels="yes, yes")
        await pilot.press("enter")
        await sees(pilot, "label 'yes' is given twice")
        assert engine.called("create_vplm") == []


async def test_a_vplm_without_any_tenant_leads_to_creating_one(paths: Paths) -> None:
    async with open_app(paths, ScriptedEngine(), "tenants").run_test() as pilot:
        await sees(pilot, "n creates one.")
        await pilot.press("tab", "n")
        await sees(pilot, "New tenant")


async def test_marked_vplms_are_deleted_together(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "space", "space", "x")
        await sees(pilot, "Delete 2 vPLMs?", "acme/model-00001, acme/model-00002")
        await pilot.press("y")
        await until(pilot, lambda: "acme/model-00002" not in text_of(pilot))
        assert len(engine.called("remove_vplm")) == 2


async def test_a_vplm_is_pinned_and_unpinned(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "p")
        await until(pilot, lambda: vplm_of(pilot).pinned)
        await pilot.press("p")
        await until(pilot, lambda: len(engine.called("change_vplm")) == 2)
        assert [call[1] for call in engine.called("change_vplm")] == [True, False]


async def test_a_vplm_moves_to_another_domain(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "e")
        await sees(pilot, "Change acme/model-00001")
        pilot.app.screen.query(Select).first().value = "news"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: engine.called("change_vplm"))
        assert engine.called("change_vplm")[0] == ("acme/model-00001", None, "news", "plot")


async def test_a_vplm_is_described(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "enter")
        await sees(pilot, "own copy", "149 times as much", "negative, positive", "adapter")


async def test_the_filter_is_the_engines_and_esc_clears_it(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "/", *"polar")
        await sees(pilot, "filter “polar”", "acme/polarity", "1 of 1")
        await pilot.press("enter")
        assert screen_of(pilot).vplms.table.has_focus
        await pilot.press("escape")
        await sees(pilot, "of 27")


async def test_a_filter_without_a_match_says_so(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "/", *"zzz")
        await sees(pilot, "Nothing matches 'zzz'.")


async def test_a_capital_letter_sorts_and_again_reverses(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(size=NARROW) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "A")
        await until(pilot, lambda: screen_of(pilot).vplms.table.sort == "accuracy")
        await pilot.press("A")
        await sees(pilot, "accuracy▼")
        await until(pilot, lambda: vplm_of(pilot).id == "acme/polarity")


async def test_cursor_scroll_and_marks_survive_a_refresh(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(size=NARROW) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "space", "end", "up")
        table = screen_of(pilot).vplms.table
        await until(pilot, lambda: table.current is not None)
        here, top = vplm_of(pilot).id, table.scroll_offset.y
        engine.vplm_rows = engine.vplm_rows[1:]
        read = engine.pages
        await until(pilot, lambda: engine.pages > read + 1)
        assert vplm_of(pilot).id == here
        assert table.marked == {"acme/model-00001"}
        assert table.scroll_offset.y >= top - 1


async def test_a_click_chooses_and_a_click_on_a_title_sorts(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.click("#vplms-table", offset=(4, 3))
        assert screen_of(pilot).vplms.table.cursor == 2
        await pilot.click("#vplms-table", offset=(4, 0))
        await until(pilot, lambda: screen_of(pilot).vplms.table.sort == "-id")


async def test_training_and_trying_start_from_the_vplm(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "t")
        await sees(pilot, "Train a vPLM", "acme/model-00001")
        await pilot.press("escape")
        await until(pilot, lambda: "Train a vPLM" not in text_of(pilot))
        await pilot.press("2", "o")
        await sees(pilot, "Ask acme/model-00001")
        assert isinstance(pilot.app.screen, PlaygroundScreen)


async def test_marked_vplms_move_together(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "space", "space", "e")
        await sees(pilot, "Change 2 vPLMs", "as it is")
        pilot.app.screen.query(Select).first().value = "news"
        pilot.app.screen.query(Select).last().value = "backoff"
        await pilot.press("ctrl+s")
        await sees(pilot, "Changed 2 vPLMs.")
        assert engine.called("change_vplm") == [
            ("acme/model-00001", None, "news", None, "backoff"),
            ("acme/model-00002", None, "news", None, "backoff"),
        ]


async def test_marked_tenants_are_deleted_together(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants").run_test() as pilot:
        await sees(pilot, "globex")
        await pilot.press("space", "space", "x")
        await sees(pilot, "Delete 2 tenants?", "acme, globex")
        await pilot.press("y")
        await until(pilot, lambda: engine.called("remove_tenant") == [("acme",), ("globex",)])


async def test_a_tenant_shows_its_traffic_quota_and_use(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.tenant_rows[0] = tenant(
        "acme",
        vplms=27,
        quota=Quota(vplms=50, rps=5),
        requests_per_s=3.25,
        p99_s=0.043,
        requests_month=12_345,
        training_month_s=75,
    )
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "req/s", "3.2", "43 ms", "27 of 50")
        await sees(pilot, "12,345 requests, 1 m 15 s of training")
        assert "cost" not in text_of(pilot)


async def test_a_tariff_brings_a_column_of_costs(paths: Paths, engine: ScriptedEngine) -> None:
    cost = Cost(currency="EUR", storage=1.5, requests=20, training=3, total=24.5)
    engine.tenant_rows[0] = tenant("acme", cost=cost)
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, " cost ", "24.50", "24.50 EUR this month")
        await pilot.press("d")
        await sees(pilot, "storage 1.50, requests 20.00,", "training 3.00")


async def test_what_a_tenant_keeps_is_told_by_kind_and_against_its_quota(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.tenant_rows[0] = tenant(
        "acme",
        quota=Quota(bytes=10 << 20),
        stored_bytes=6 << 20,
        adapters=15,
        versions=18,
        datasets=2,
        dataset_bytes=3 << 20,
        used_bytes=9 << 20,
        saved_bytes=700 << 20,
    )
    async with open_app(paths, engine, "tenants").run_test(size=(200, 40)) as pilot:
        await sees(pilot, " keeps ", " quota", " 90 %")
        await pilot.press("d")
        await sees(pilot, "10 of no limit, 18 versions", "9.0 MiB of 10 MiB, 90 %")
        await sees(pilot, "6.0 MiB in 15 files", "3.0 MiB in 2 files", "700 MiB by sharing")


async def test_a_vplm_says_when_it_was_last_used(paths: Paths, engine: ScriptedEngine) -> None:
    engine.vplm_rows[0] = vplm("acme", "polarity", last_used=time.time() - 7300)
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, " used", "2 h", "never")


async def test_tenants_are_sorted_by_rate_delay_and_cost(
    paths: Paths, engine: ScriptedEngine
) -> None:
    def cost(total: float) -> Cost:
        return Cost(currency="EUR", storage=0, requests=0, training=0, total=total)

    engine.tenant_rows = [
        tenant("calm", requests_per_s=1.0, p99_s=0.9, cost=cost(2)),
        tenant("busy", requests_per_s=9.0, p99_s=0.1, cost=cost(1)),
        tenant("idle", requests_per_s=0.0, p99_s=0.5, cost=cost(3)),
    ]
    app = open_app(paths, engine, "tenants")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "busy", " cost ")
        table = screen_of(pilot).tenants.table
        for key, order in (
            ("R", "idle calm busy"),
            ("P", "busy idle calm"),
            ("C", "busy calm idle"),
        ):
            await pilot.press(key)
            await until(pilot, partial(shown, table, order), f"{key}: {order}")
            await pilot.press(key)
            backwards = " ".join(reversed(order.split()))
            await until(pilot, partial(shown, table, backwards), f"{key} again: {backwards}")


def shown(table: VirtualTable[Tenant], order: str) -> bool:
    rows = [table._pages.row(n) for n in range(table.total)]
    return order == " ".join(row.name for row in rows if row is not None)


async def test_a_vplm_is_rolled_back_once_that_is_confirmed(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "v")
        await sees(pilot, "Versions of acme/", "95.0 %", "90.0 %", "serves")
        await pilot.press("r")
        await sees(pilot, "is at version 3 already")
        await pilot.press("down")
        await sees(pilot, "trained, from job-2")
        await pilot.press("r")
        await sees(pilot, "back to version 2?", "as version 3 (accuracy 95.0 %)")
        await pilot.press("n")
        await sees(pilot, "Versions of acme/")
        assert engine.called("roll_back") == []
        await pilot.press("r", "y")
        await sees(pilot, "is at version 4.")
        [(_, version)] = engine.called("roll_back")
        assert version == 2
