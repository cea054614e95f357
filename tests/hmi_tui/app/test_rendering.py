"""Every mode at both sizes and in every theme, with what an operator looks for."""

from __future__ import annotations

import pytest

from engine.client import Paths
from engine.schema import DeviceStatus, LoadedBackbone, Problem
from hmi_tui.modes import MODE_TITLES
from hmi_tui.themes import THEMES
from tests.hmi_tui.app.screens import (
    NARROW,
    WIDE,
    Size,
    footer_keys,
    open_app,
    sees,
    text_of,
    until,
)
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

CONTENT = {
    "overview": (
        "No NVIDIA device",
        "3.2 of 8.0 GiB",
        "backbone",
        "requests/s",
        "p99",
        "12 waiting",
        "Adapters by tier",
        "93 %",
        "Table hits by domain",
        "74 %",
        "Busiest tenants",
        "140.2",
        "swaps/s",
        "others",
        "train acme",
        "No problems",
    ),
    "tenants": ("acme", "globex", "acme/model-00001", "accuracy", "device"),
    "domains": ("└─ reviews", "98,112", "230 MiB", "74 %", "● ready", "○ empty", "of the film"),
    "adapters": ("sha256", "596 KiB", "acme/polarity", "job-1", "1 of 30"),
    "trainer": ("acme/model-00007", "▶ 43 %", "✗ failed", "Loss", "Held-out accuracy", "84.0 %"),
    "playground": ("Ask acme/polarity", "its own mode", "to compare", "How it was computed"),
    "pipeline": (
        "Last 10 s · ▶ live",
        "retrieve",
        "compute",
        "◆reviews 4",
        "stages overlap",
        "compute idle",
        "Batch 40, the newest",
        "acme 7, globex 2",
        "7 of 80 filled",
        "2 in a batch · 1 pinned",
        "██▓▓▒░○·",
    ),
    "load": ("n starts a run", "Kept runs", "offered/s", "p99", "device hits", "errors/s"),
    "logs": ("There is no log at", "✗ no log"),
}
WIDE_CONTENT = {
    "overview": ("all-MiniLM-L6-v2: 6 layers", "top"),
    "tenants": ("labels", "negative, pos", "weight"),
    "domains": ("vPLMs", "in corpus", "seen entries", "by hand"),
    "adapters": ("made by", "used by", "rank"),
    "trainer": ("type", "accuracy", "age"),
    "playground": ("domain reviews",),
    "pipeline": ("Shares of the time in view", "bubbles"),
    "load": ("nothing yet", "failed", "age"),
    "logs": ("engine.log",),
}


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize("mode", list(MODE_TITLES))
async def test_a_mode_shows_what_it_is_for(
    paths: Paths, engine: ScriptedEngine, mode: str, size: Size
) -> None:
    async with open_app(paths, engine, mode).run_test(size=size) as pilot:
        await sees(pilot, "● up", *CONTENT[mode])
        if size == WIDE:
            await sees(pilot, *WIDE_CONTENT[mode])
        assert all(
            f"{n} {title}" in text_of(pilot) for n, title in enumerate(MODE_TITLES.values(), 1)
        )
        await until(pilot, lambda: footer_keys(pilot), "a footer")
        assert len(footer_keys(pilot)) <= 7


async def test_every_mode_is_drawn_in_every_theme(paths: Paths, engine: ScriptedEngine) -> None:
    app = open_app(paths, engine)
    async with app.run_test(size=NARROW) as pilot:
        for number, mode in enumerate(MODE_TITLES, 1):
            await app.action_open(mode)
            await sees(pilot, "● up", CONTENT[mode][0])
            for theme in THEMES:
                app.action_use_theme(theme)
                await pilot.pause()
                assert f"{number} {MODE_TITLES[mode]}" in text_of(pilot)


async def test_without_colour_the_theme_is_grey(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert open_app(paths, engine).theme == "hmi-mono"


async def test_a_device_is_shown_with_its_memory_load_and_power(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.device = DeviceStatus(
        kind="cuda",
        name="NVIDIA H200",
        note="",
        total_bytes=139 << 30,
        used_bytes=21 << 30,
        utilisation=0.83,
        power_w=412,
        temperature_c=61,
    )
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "NVIDIA H200", "21 of 139 GiB", "83 %", "412 W", "61 °C")


async def test_a_device_tells_its_clocks_and_who_holds_its_memory(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.device = DeviceStatus(
        kind="cuda",
        name="NVIDIA H200",
        note="",
        total_bytes=139 << 30,
        used_bytes=21 << 30,
        utilisation=0.83,
        power_w=412,
        power_limit_w=700,
        sm_mhz=1755,
        sm_max_mhz=1980,
        by_owner={"activations": 3 << 30, "other processes": 15 << 30},
    )
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "412/700 W", "1755 of 1980 MHz", "activations", "3.0 GiB")
        await sees(pilot, "other processes", "15 GiB")


async def test_problems_come_with_their_remedy(paths: Paths, engine: ScriptedEngine) -> None:
    engine.problems = [Problem(what="The disk is nearly full.", remedy="Delete unused adapters.")]
    async with open_app(paths, engine).run_test(size=WIDE) as pilot:
        await sees(pilot, "Problems", "! The disk is nearly full.", "Delete unused adapters.")


@pytest.mark.parametrize(
    ("mode", "advice"),
    [
        ("overview", "Press 2, then n: create a tenant"),
        ("tenants", "n creates one."),
        ("domains", "No domains are known yet."),
        ("adapters", "No adapters yet"),
        ("trainer", "Press n to train a vPLM"),
        ("playground", "No vPLM yet: esc, then 2 and n"),
        ("pipeline", "No batch yet: ask a vPLM (6) or put load on (8)."),
        ("load", "Press n to start one"),
        ("logs", "There is no log at"),
    ],
)
async def test_an_empty_mode_says_what_to_do_first(paths: Paths, mode: str, advice: str) -> None:
    async with open_app(paths, ScriptedEngine(), mode).run_test() as pilot:
        await sees(pilot, "● up", advice)


async def test_only_the_visible_mode_reads_its_lists(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "overview").run_test() as pilot:
        await sees(pilot, "● up", "reviews")
        assert engine.pages == 0
        await pilot.press("2")
        await sees(pilot, "acme/model-00001")
        await pilot.press("1")
        await sees(pilot, "Adapters by tier")
        read, ticks = engine.pages, engine.statuses
        await until(pilot, lambda: engine.statuses > ticks + 5)
        assert engine.pages == read


async def test_the_overview_names_the_backbones_beside_the_engines_own(
    paths: Paths, engine: ScriptedEngine
) -> None:
    own = LoadedBackbone(id="small:1", sha256="ab", own=True, vplms=9, waiting=0, by_owner={})
    more = {"id": "wide:1", "own": False, "vplms": 2, "waiting": 3, "fallback": "No encoder."}
    engine.loaded = [own, own.model_copy(update=more)]
    async with open_app(paths, engine, "overview").run_test(size=WIDE) as pilot:
        await sees(pilot, "beside it wide:1: 2 vPLMs, exact mode, 3 wait")
        assert "small:1" not in text_of(pilot)
