from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from engine.client import EngineNotRunning, Paths
from hmi_tui import picture as module
from hmi_tui.app import HmiApp
from tests.hmi_tui.app.screens import TICK_S
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


async def test_a_picture_of_a_mode_is_an_svg_with_its_content(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = partial(HmiApp, client=engine.client, tick=TICK_S)
    monkeypatch.setattr(module, "HmiApp", scripted)
    svg = await module.picture(
        paths, (100, 30), "playground", seconds=0.3, theme="light", text="a witty film"
    )
    assert svg.startswith("<svg")
    assert "Playground" in svg
    assert "97.3" in svg


async def test_every_mode_is_pictured_in_both_sizes(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripted = partial(HmiApp, client=engine.client, tick=TICK_S)
    monkeypatch.setattr(module, "HmiApp", scripted)
    folder = tmp_path / "pictures"
    written = await module.pictures(paths, folder, seconds=0.1)
    assert sorted(written) == sorted(folder.iterdir())
    assert {file.stem for file in written} == {
        f"{mode}-{size}" for mode in HmiApp.MODES for size in ("80x24", "160x50")
    }
    for file in written:
        assert file.read_text().startswith("<svg")


async def test_a_picture_without_an_engine_says_what_to_do(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 0.2)
    with pytest.raises(EngineNotRunning, match="hmi serve"):
        await module.picture(paths, (80, 24), "overview")
