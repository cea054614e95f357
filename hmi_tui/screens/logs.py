"""Logs: what the engine writes, as it writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from engine.client import assets_dir
from hmi_tui import figures
from hmi_tui.hints import hint
from hmi_tui.log.line import FLOORS
from hmi_tui.log.tail import LogTail, Reading
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.widgets.log_view import LogView

POLL_S = 0.25
HINTS = {
    "filter": "part of a line · enter keeps, <back:esc> clears",
    "search": "text to find · enter goes there, <again-up:n> further up, <again-down:N> down",
}


class LogsScreen(ModeScreen):
    MODE = "logs"
    ABOUT = (
        "The end of the log of an engine that was started in the background, as it grows. "
        "Moving up stops following, so that what you read stays where it is; end goes on."
    )
    CSS_PATH = assets_dir() / "styles" / "logs.tcss"
    AUTO_FOCUS = "#log-view"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", tooltip="Only lines with a text"),
        Binding("l", "level", "Level", tooltip="All; from info, warning or error on"),
        Binding("s", "search", "Search", tooltip="Go to a text and mark it; esc ends the search"),
        Binding("f", "follow", "Follow", tooltip="Stay at the newest line, or no longer"),
        Binding(
            "n",
            "again(-1)",
            show=False,
            id="again-up",
            tooltip="Further up to the text that was searched",
        ),
        Binding("N", "again(1)", show=False, id="again-down", tooltip="Further down to it"),
        Binding("c", "copy", show=False, tooltip="Copy the line"),
        Binding("d", "describe", show=False, tooltip="The whole entry; its lines as written"),
        Binding("escape", "back", show=False, tooltip="Clear: the search, the filter, the level"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.view = LogView(id="log-view")
        self.asked: Literal["filter", "search"] = "filter"
        self._reading = False
        self._problem = ""

    def body(self) -> Iterable[Widget]:
        yield Vertical(self.view, Input(compact=True, id="log-text"), id="log")

    def on_mount(self) -> None:
        self.tail = LogTail(self.hmi.paths.log)
        self.set_interval(POLL_S, self._poll)
        self._poll()

    def on_unmount(self) -> None:
        self.tail.close()

    # -- the file --------------------------------------------------------------------------

    def _poll(self) -> None:
        if self.is_current and not self._reading:
            self._reading = True
            self.run_worker(self._read, group="log")  # type: ignore[arg-type]

    async def _read(self) -> None:
        try:
            reading = await asyncio.to_thread(self.tail.read)
        finally:
            self._reading = False
        self._take(reading)

    def _take(self, reading: Reading) -> None:
        lines = list(reading.lines)
        if reading.began_anew and self.view.lines:
            lines.insert(0, "── the log began anew ──")
        if reading.left_out:
            lines.insert(0, f"── {figures.size(reading.left_out)} before this are not shown ──")
        changed = reading.problem != self._problem
        self._problem = reading.problem
        if lines:
            self.view.append(lines)
        if lines or changed or not self.view.lines:
            self._say()

    @on(LogView.Changed)
    def _say(self) -> None:
        view, wanted = self.view, self.view.wanted
        pane = self.query_one("#log")
        parts = ["Log" if self.size.width < 110 else f"Log {self.tail.path}"]
        if wanted.floor != FLOORS[0]:
            parts.append(f"from {wanted.floor.lower()} on")
        if wanted.text:
            parts.append(f"filter “{wanted.text}”")
        if view.sought:
            parts.append(f"search “{view.sought}”")
        pane.border_title = " · ".join(parts).replace("[", r"\[")
        where = f"{figures.count(view.cursor + 1)} of " if view.shown else ""
        state = "following" if view.following else "held"
        if self._problem:
            state = "✗ the file is gone" if view.lines else "✗ no log"
        pane.border_subtitle = f"{where}{figures.count(len(view.shown))} · {state}"
        empty = self._problem or f"The log is empty so far: {self.tail.path}"
        if view.lines:
            empty = "No line passes the filter; <back:esc> clears it."
        if empty != view.empty:
            view.empty = empty
            view.refresh()

    # -- actions ---------------------------------------------------------------------------

    def action_filter(self) -> None:
        self._ask("filter", self.view.wanted.text)

    def action_search(self) -> None:
        self._ask("search", self.view.sought)

    def _ask(self, what: Literal["filter", "search"], text: str) -> None:
        box = self.query_one("#log-text", Input)
        self.asked = what
        box.placeholder = hint(self, HINTS[what])
        with box.prevent(Input.Changed):
            box.value = text
        self.add_class("-asking")
        box.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        text = event.value.strip()
        if self.asked == "filter":
            self.view.want(replace(self.view.wanted, text=text))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self.remove_class("-asking")
        self.view.focus()
        if self.asked == "search":
            self._seek(event.value.strip(), -1)

    def action_again(self, way: int) -> None:
        if self.view.sought:
            self._seek(self.view.sought, way)
        else:
            self.notify("Nothing is searched yet: <search:s>.")

    def _seek(self, text: str, way: int) -> None:
        if not self.view.seek(text, way) and text:
            self.notify(f"No line has {text!r}.", markup=False)
        self._say()

    def action_level(self) -> None:
        """From each level to the next, and back to all."""
        wanted = self.view.wanted
        floor = FLOORS[(FLOORS.index(wanted.floor) + 1) % len(FLOORS)]
        self.view.want(replace(wanted, floor=floor))

    def action_follow(self) -> None:
        self.view.follow(not self.view.following)

    def action_copy(self) -> None:
        self.view.action_copy()

    @on(LogView.Chosen)
    def action_describe(self) -> None:
        entry = self.view.entry
        if entry:
            text = "\n".join(line.text for line in entry)
            facts = [("level", entry[0].level.lower()), ("entry", text)]
            self.app.push_screen(Facts("Log entry", facts, text))

    def action_back(self) -> None:
        """One step: the line that asks, the search, the text of the filter, the level."""
        view = self.view
        if self.has_class("-asking"):
            self.remove_class("-asking")
            view.focus()
            if self.asked == "filter":
                view.want(replace(view.wanted, text=""))
        elif view.sought:
            view.seek("")
        elif view.wanted.text:
            view.want(replace(view.wanted, text=""))
        else:
            view.want(replace(view.wanted, floor=FLOORS[0]))
        self._say()
