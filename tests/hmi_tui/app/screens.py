"""What the tests see and do: the text on the screen, and waiting for it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Footer, Input

from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.widgets.field import FieldRow
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

DEADLINE_S = 10.0
LOOKS = 300
"""How often the screen is looked at in ten seconds of a processor that has nothing else to do."""
NOTICE_LOOKS = 150
"""How often a notice is looked at in vain before it goes; what is waited for may be under it."""
TICK_S = 0.1

Size = tuple[int, int]
NARROW: Size = (80, 24)
WIDE: Size = (160, 50)


def open_app(paths: Paths, engine: ScriptedEngine, mode: str = "overview", **more: Any) -> HmiApp:
    app = HmiApp(paths, client=engine.client, tick=TICK_S, mode=mode, **more)
    app.animation_level = "none"
    return app


def text_of(pilot: Pilot[None]) -> str:
    """Every line on the screen, as a terminal would show it."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def until(pilot: Pilot[None], true: Callable[[], object], what: str = "") -> None:
    """Let the application run until `true`; fails with the screen's text after ten seconds.

    On a machine that others keep busy, seconds say little of how far the application has come;
    then it also gets the looks that it would have had on an idle one, and so do the notices, which
    stay for five seconds where nobody tests.
    """
    end, looks = time.monotonic() + DEADLINE_S, 0
    looked_at: Counter[str] = Counter()
    while not true():
        for notice in list(pilot.app._notifications):
            looked_at[notice.identity] += 1
            if looked_at[notice.identity] == NOTICE_LOOKS:
                pilot.app._unnotify(notice)
        looks += 1
        in_time = time.monotonic() < end or looks < LOOKS
        assert in_time, f"waited in vain for {what}\n{text_of(pilot)}"
        await asyncio.sleep(0.03)  # the screen is drawn by timers; there is no event to wait for


def _shows(pilot: Pilot[None], text: str) -> bool:
    return text in text_of(pilot)


async def sees(pilot: Pilot[None], *texts: str) -> None:
    for text in texts:
        await until(pilot, partial(_shows, pilot, text), text)


async def fill(pilot: Pilot[None], **values: str) -> None:
    """Put values into the text fields of the open form, by the fields' names."""

    def rows() -> dict[str, FieldRow]:
        return {row.field.name: row for row in pilot.app.screen.query(FieldRow)}

    def ready() -> bool:
        return rows().keys() >= values.keys() and pilot.app.screen.focused is not None

    await until(pilot, ready, "a form")
    for name, value in values.items():
        rows()[name].query_one(Input).value = value


def footer_keys(pilot: Pilot[None]) -> list[str]:
    footer = pilot.app.screen.query_one(Footer)
    return [str(key.key_display) for key in footer.query("FooterKey")]  # type: ignore[attr-defined]
