from __future__ import annotations

from engine.client import Paths
from tests.hmi_tui.app.engine_documents import sha
from tests.hmi_tui.app.screens import WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


async def test_an_adapter_is_described(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "adapters").run_test() as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("/", *sha("acme/polarity")[:8])
        await sees(pilot, "1 of 1")
        await pilot.press("enter", "d")
        await sees(pilot, "596 KiB (610,304)", "job job-1", "acme/polarity")


async def test_a_wide_screen_shows_the_adapter_beside_the_list(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "adapters").run_test(size=WIDE) as pilot:
        await sees(pilot, "596 KiB (610,304)", "created")


async def test_the_store_is_sorted_by_the_engine(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "adapters").run_test() as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("N", "home")
        first = min(row.adapter for row in engine.vplm_rows)
        await until(pilot, lambda: "› " + first[:10] in text_of(pilot))  # noqa: RUF001


async def test_an_adapter_in_use_is_not_deleted_and_the_reason_shown(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "adapters").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("x")
        await sees(pilot, f"Delete adapter {sha('acme/polarity')[:12]}?")
        await pilot.press("y")
        await sees(pilot, "is in use.", "Delete the vPLMs that use it.")
