"""Every mode at both sizes, cell by cell, against the screens kept in `snapshots/`.

A change that is meant is taken over with WRITE_SNAPSHOTS=1 in the environment
and shows in the commit as what an operator will see.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.modes import MODE_TITLES
from tests.hmi_tui.app.engine_documents import NOW
from tests.hmi_tui.app.screens import NARROW, WIDE, Size, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

KEPT = Path(__file__).parent / "snapshots"
ONE_LOOK_S = 3600.0
"""So long between two looks at the engine that there is only the first."""

MOMENT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
PATHS = Paths.find(Path("/srv/hmi"))
"""Named on the screen, so it must be as long everywhere; nothing is there."""


def settled(pilot: Pilot[None]) -> str:
    """The screen's text, its moments, which differ from run to run, blotted."""
    text = MOMENT.sub(lambda found: "·" * len(found[0]), text_of(pilot))
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x50"])
@pytest.mark.parametrize("mode", list(MODE_TITLES))
async def test_a_mode_looks_as_it_was_left(
    engine: ScriptedEngine, mode: str, size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)  # ages are counted from it
    file = KEPT / f"{mode}-{size[0]}x{size[1]}.txt"
    app = HmiApp(PATHS, client=engine.client, tick=ONE_LOOK_S, mode=mode)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "● up")
        if os.environ.get("WRITE_SNAPSHOTS"):
            await steady(pilot)
            file.write_text(settled(pilot), encoding="utf-8")
        kept = file.read_text(encoding="utf-8")
        try:
            await until(pilot, lambda: settled(pilot) == kept)
        except AssertionError:
            lines = difflib.unified_diff(
                kept.splitlines(), settled(pilot).splitlines(), "kept", "seen"
            )
            pytest.fail("\n".join(lines), pytrace=False)


async def steady(pilot: Pilot[None]) -> None:
    """Wait until the screen has been the same for thirty looks."""
    seen: list[str] = []

    def same() -> bool:
        seen.append(settled(pilot))
        return len(seen) > 30 and len(set(seen[-30:])) == 1

    await until(pilot, same, "a steady screen")
