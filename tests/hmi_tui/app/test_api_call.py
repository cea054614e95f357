"""Every mode says which API call is behind it, as a command that can be copied and run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.client import Call, Paths, calls, curl
from engine.schema import VplmCreate
from hmi_tui.app import HmiApp
from tests.hmi_tui.app.screens import WIDE, open_app, sees, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

SOCKET = Path("/run/my hmi/engine.sock")


def words(call: Call[Any]) -> list[str]:
    return shlex.split(curl(call, SOCKET))


def test_a_reading_call_is_a_url_with_its_parameters() -> None:
    line = words(calls.vplms("a&b", "acme", 200, sort="-accuracy"))
    url = "http://hmi/v1/vplms?q=a%26b&tenant=acme&limit=200&sort=-accuracy"
    assert line == ["curl", "--unix-socket", str(SOCKET), url]


def test_a_call_with_a_body_carries_it_and_its_type() -> None:
    line = words(calls.create_vplm(VplmCreate(tenant="acme", name="x", labels=["it's", "no"])))
    assert line[3:6] == ["http://hmi/v1/vplms", "-H", "content-type: application/json"]
    assert '"labels":["it\'s","no"]' in line[-1]
    assert "-X" not in line


def test_other_methods_are_named() -> None:
    assert words(calls.remove_vplm("acme/x"))[-2:] == ["-X", "DELETE"]
    assert words(calls.stop())[-2:] == ["-X", "POST"]
    assert words(calls.put_corpus("news", [b"a text"]))[-2:] == ["--data-binary", "@-"]


@pytest.mark.parametrize("mode", list(HmiApp.MODES))
async def test_every_mode_says_its_call(paths: Paths, engine: ScriptedEngine, mode: str) -> None:
    app = open_app(paths, engine, mode)
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        await pilot.press("escape", "ctrl+u")
        await sees(pilot, "API call", "curl --unix-socket", "c copies")
        await pilot.press("c")
        await until(pilot, lambda: "http://hmi/v1/" in app.clipboard, "the clipboard")
        assert shlex.split(app.clipboard)[2] == str(paths.socket)


async def test_a_list_says_its_filter_and_order(paths: Paths, engine: ScriptedEngine) -> None:
    app = open_app(paths, engine, "tenants")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "A", "/", *"model", "enter", "ctrl+u", "c")
        url = "http://hmi/v1/vplms?q=model&tenant=acme&limit=200&sort=accuracy"
        await until(pilot, lambda: url in app.clipboard, "the clipboard")


async def test_the_playground_says_how_its_text_is_asked(
    paths: Paths, engine: ScriptedEngine
) -> None:
    app = open_app(paths, engine, "playground")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "Ask acme/polarity")
        await pilot.press(*"witty", "escape", "ctrl+u", "c")
        await until(pilot, lambda: '"input": "witty"' in app.clipboard, "the clipboard")
