"""From an empty home to a trained, answering vPLM, by keys alone, on the engine that ships."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Select

from engine.client import Client, EngineNotRunning, Paths
from hmi_tui.app import HmiApp
from hmi_tui.engine_process import ensure_engine, stop_engine
from hmi_tui.screens.domains import DomainsScreen
from tests.hmi_tui.app.screens import TICK_S, fill, sees, until

PLACES = ("the kitchen", "our office", "room seven", "the hall", "the lab")
PRAISE = ("{} is lovely, thank you", "we are very happy with {}", "{} looks great again")
BLAME = ("{} is broken, please repair it", "there is a leak in {}", "{} has no light at all")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Labelled rows, and a corpus of the same kind beside them."""
    pairs = [("praise", form) for form in PRAISE] + [("blame", form) for form in BLAME]
    rows = [(label, form.format(place)) for place in PLACES for label, form in pairs]
    lines = [json.dumps({"text": text, "label": label}) for label, text in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "corpus.txt").write_text("\n".join(text for _, text in rows) + "\n")
    return tmp_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """Empty; whatever engine runs on it in the end is stopped."""
    monkeypatch.setattr("tests.hmi_tui.app.screens.DEADLINE_S", 100.0)
    paths = Paths.find(tmp_path / "home")
    yield paths
    with suppress(EngineNotRunning):
        stop_engine(paths, kill=True)


def app_on(paths: Paths) -> HmiApp:
    def start(progress: object) -> None:
        del progress
        ensure_engine(paths, ["--threads", "1"])

    app = HmiApp(paths, starter=start, tick=TICK_S)
    app.animation_level = "none"
    return app


def on_domain(pilot: Pilot[None], name: str) -> bool:
    screen = pilot.app.screen
    here = screen.domain if isinstance(screen, DomainsScreen) else None
    return here is not None and here.name == name


async def make_tenant(pilot: Pilot[None]) -> None:
    await sees(pilot, "● up", "Press 2, then n: create a tenant")
    await pilot.press("2")
    await sees(pilot, "n creates one.")
    await pilot.press("n")
    await fill(pilot, name="acme")
    await pilot.press("enter")
    await sees(pilot, "Key of acme", "Shown this once")
    await pilot.press("escape")


async def build_domain(pilot: Pilot[None], corpus: Path) -> None:
    await pilot.press("3")
    await sees(pilot, "No table yet.", "u uploads text for this domain")
    await pilot.press("n")
    await fill(pilot, name="house", corpus=str(corpus))
    await pilot.press("enter")
    await sees(pilot, "└─ house")
    await pilot.press("down")
    await until(pilot, partial(on_domain, pilot, "house"), "the cursor on house")
    await pilot.press("r")
    await sees(pilot, "Rebuild house", "It costs about")
    await pilot.press("enter")
    await sees(pilot, "● ready")


async def make_vplm(pilot: Pilot[None]) -> None:
    await pilot.press("2")
    await sees(pilot, "No vPLMs here yet.")
    await pilot.press("tab", "n")
    await fill(pilot, name="mood", labels="praise, blame")
    domain = next(s for s in pilot.app.screen.query(Select) if s.value == "general")
    domain.value = "house"
    await pilot.press("ctrl+s")
    await sees(pilot, "acme/mood")


async def train(pilot: Pilot[None], rows: Path) -> None:
    await pilot.press("t")
    await sees(pilot, "Train a vPLM")
    await fill(pilot, data=str(rows), epochs="4", lr="0.003", batch_size="8")
    await pilot.press("enter")
    # The rebuild has succeeded too, and an epoch's accuracy is told before the end.
    await sees(pilot, "✓ succeeded: trained 4 epochs")
    await pilot.press("m")
    await sees(pilot, "Held-out rows of acme/mood", "praise")
    await pilot.press("escape")


async def ask(pilot: Pilot[None], text: str) -> None:
    await pilot.press("6")
    await sees(pilot, "Ask acme/mood · domain house")
    await pilot.press(*(key if key != " " else "space" for key in text), "enter")
    await sees(pilot, "› blame", "table hits")  # noqa: RUF001
    await pilot.press("ctrl+t")
    await sees(pilot, "¹ house")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_first_time_operator_gets_from_an_empty_home_to_an_answer(
    home: Paths, texts: Path
) -> None:
    async with app_on(home).run_test(notifications=True) as pilot:
        await make_tenant(pilot)
        await build_domain(pilot, texts / "corpus.txt")
        await make_vplm(pilot)
        await train(pilot, texts / "rows.jsonl")
        await ask(pilot, "there is a leak in our office")
        await pilot.press("escape", "q")
    with Client(paths=home) as client:
        # The application is gone; what it left running answers.
        assert client.vplm("acme/mood").accuracy is not None
        assert client.classify("acme/mood", "the hall has no light at all").data[0].label == "blame"
