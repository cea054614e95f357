from __future__ import annotations

from pathlib import Path

import pytest

from engine.client import Paths
from hmi_tui.widgets.virtual_table import VirtualTable
from tests.hmi_tui.app.engine_documents import a_spare_adapter, sha
from tests.hmi_tui.app.screens import WIDE, fill, open_app, sees, text_of, until
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


async def test_an_adapter_is_imported_and_becomes_a_vplm(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path
) -> None:
    file = tmp_path / "spam.safetensors"
    file.write_bytes(b"tensors")
    async with open_app(paths, engine, "adapters").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("i")
        await fill(pilot, file=str(file))
        await pilot.press("enter")
        await sees(pilot, "imported from a file, made by train-7", "ham, spam", "500 KiB unused")
        assert engine.called("import_adapter") == [(file,)]
        await pilot.press("n")
        await sees(pilot, "New vPLM", sha("spam.safetensors")[:20], "ham, spam")


async def test_an_adapter_is_saved_to_a_new_file_only(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path
) -> None:
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"precious")
    async with open_app(paths, engine, "adapters").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("s")
        await fill(pilot, file=str(target))
        await pilot.press("enter")
        await sees(pilot, "Name a file that is not there yet.")
        assert target.read_bytes() == b"precious"
        target.unlink()
        await pilot.press("enter")
        await sees(pilot, "Saved")
        assert target.read_bytes() == b"tensors"


async def test_without_a_name_an_adapter_is_not_saved_and_what_is_missing_is_said(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a long name would be broken in two by the form
    async with open_app(paths, engine, "adapters").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("s")
        for typed, said in (
            ("", "The name of the file is missing. Type one, such as"),
            (".", ". is a folder. Name a file in it"),
            ("none/a", "There is no folder"),
        ):
            await fill(pilot, file=typed)
            await pilot.press("enter")
            await sees(pilot, said)
    assert engine.called("adapter_file") == []


async def test_marked_adapters_are_verified_and_the_damaged_named(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "adapters").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/polarity")
        await pilot.press("v")
        await sees(pilot, "the file is what it was.")
        await pilot.press("home", "space", "space")
        table = pilot.app.screen.query_one("#adapters-table", VirtualTable)
        engine.damaged = {min(table.marked)}
        await pilot.press("v")
        await sees(pilot, "1 of 2 are damaged", min(table.marked)[:12], "It does not match.")


async def test_what_nobody_uses_is_listed_and_removed(paths: Paths, engine: ScriptedEngine) -> None:
    engine.spare_adapters = [a_spare_adapter(name) for name in ("one", "two")]
    async with open_app(paths, engine, "adapters").run_test(notifications=True) as pilot:
        await sees(pilot, "1000 KiB unused")
        await pilot.press("g")
        await sees(pilot, "Garbage", "1 of 2", "nobody")
        await pilot.press("z")
        await sees(pilot, "Delete 2 adapters that nobody uses?", sha("one")[:12])
        await pilot.press("y")
        await sees(pilot, "No garbage: every adapter is used.")
        assert len(engine.called("remove_adapter")) == 2
        await pilot.press("z")
        await sees(pilot, "There is no garbage")
        await pilot.press("g")
        await sees(pilot, "acme/polarity")
