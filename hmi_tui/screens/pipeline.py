"""Pipeline: what the engine's stages did in the last seconds, live, and what is in its slots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import MouseScrollDown, MouseScrollUp
from textual.widget import Widget

from engine.client import AsyncClient, Call, NotFound, assets_dir, calls
from hmi_tui import figures
from hmi_tui.hints import hint
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.slot_facts import slot_facts
from hmi_tui.screens.trace_form import trace_form
from hmi_tui.snapshot import Snapshot
from hmi_tui.timeline.activity import SPANS_READ, Activity, read_activity
from hmi_tui.timeline.lanes import within
from hmi_tui.timeline.recording import Batch, Recording
from hmi_tui.timeline.summary import summarise
from hmi_tui.timeline.view import View
from hmi_tui.widgets.batch_panel import BatchPanel, batch_facts
from hmi_tui.widgets.lane_view import LaneView
from hmi_tui.widgets.shares_panel import SharesPanel, in_short
from hmi_tui.widgets.slot_grid import SlotGrid

EMPTY = "No batch yet: ask a vPLM (<open-playground:6>) or put load on (<open-load:8>)."
OLDER = "This engine tells no spans; it is older than the application. Restart it: hmi stop, hmi."


class PipelineScreen(ModeScreen):
    MODE = "pipeline"
    ABOUT = (
        "<up:↑> and <down:↓> choose a batch, <choose:enter> describes it. "
        "Each lane shows when its stage worked: the fuller a cell, the busier that moment. "
        "Neighbouring batches differ in shade, the chosen one is drawn as ◆ in all lanes. "
        "Stages overlap when two of retrieve, load and compute work at once; compute is idle when "
        "none of its workers has a batch. A slot is room for one adapter on the device; it is hot "
        "when batches ask for that adapter often; tab goes to the slots, <choose:enter> "
        "says whose one is."
    )
    CSS_PATH = assets_dir() / "styles" / "pipeline.tcss"
    AUTO_FOCUS = "#lanes"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", tooltip="Hold the picture, or follow again"),
        Binding(
            "plus,equals_sign",
            "zoom(1)",
            "Zoom",
            id="zoom-in",
            key_display="+",
            tooltip="Zoom in, as the wheel does",
        ),
        Binding(
            "minus", "zoom(-1)", key_display="-", show=False, id="zoom-out", tooltip="Zoom out"
        ),
        Binding("s", "save_trace", "Save trace", tooltip="Save a trace to a file, as hmi trace"),
        Binding(
            "left",
            "scroll_time(-1)",
            show=False,
            id="scroll-back",
            tooltip="Scroll to what was earlier",
        ),
        Binding(
            "right",
            "scroll_time(1)",
            show=False,
            id="scroll-on",
            tooltip="Scroll to what was later",
        ),
        Binding("end", "newest", show=False, tooltip="Follow the newest"),
        Binding("d", "describe", show=False, tooltip="All about the batch, or the slot"),
        Binding("escape", "let_go", "Let go", show=False, tooltip="Let go of the chosen batch"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.recording = Recording()
        self.view = View()
        self.chosen: int | None = None
        self.lanes = LaneView(id="lanes", empty=EMPTY)
        self.detail = BatchPanel(id="batch")
        self.shares = SharesPanel(id="shares")
        self.grid = SlotGrid(id="slots")
        self._pid = 0

    def body(self) -> Iterable[Widget]:
        yield self.lanes
        yield Horizontal(self.detail, self.shares, self.grid, id="below")

    async def look(self, client: AsyncClient) -> object:
        try:
            return await read_activity(client, self.recording.last, live=self.view.live)
        except NotFound:
            return OLDER

    def see(self, snapshot: Snapshot) -> None:
        found = snapshot.detail
        if snapshot.status is not None and snapshot.status.engine.pid != self._pid:
            if self._pid:
                # Another engine counts its batches anew; it was asked for what follows the old's.
                self.recording, self.view, self.chosen = Recording(), View(), None
                found = None
            self._pid = snapshot.status.engine.pid
        self.lanes.empty = OLDER if found == OLDER else EMPTY
        if isinstance(found, Activity):
            self.grid.tell(found.slots)
            if found.spans is not None and self.view.live:
                self.recording = self.recording.grown(found.spans)
                self.view = self.view.following(self.recording.now)
        self._show()

    def call(self) -> Call[Any]:
        return calls.spans(limit=SPANS_READ)

    # -- what is shown ---------------------------------------------------------------------

    @property
    def in_view(self) -> list[Batch]:
        """The batches that ended in view, by number."""
        view = self.view
        return [b for b in self.recording.batches.values() if view.begin < b.end <= view.end]

    @property
    def current(self) -> Batch | None:
        """The chosen batch, or else the newest in view."""
        if self.chosen is not None:
            return self.recording.batches.get(self.chosen)
        return max(self.in_view, key=lambda batch: batch.end, default=None)

    def _show(self) -> None:
        view = self.view
        summary = summarise(within(self.recording.bars(), view.begin, view.end))
        span = figures.seconds(view.span)
        until = figures.clock(view.end)
        self.lanes.border_title = (
            f"Last {span} · ▶ live"
            if view.live
            else hint(self, f"{span} until {until} · ‖ held, <pause:space> goes on")
        )
        self.lanes.border_subtitle = in_short(summary)
        self.lanes.tell(self.recording, view, self.chosen)
        self.shares.tell_summary(summary)
        self.detail.tell_batch(self.current, chosen=self.chosen is not None)

    def _look_at(self, view: View) -> None:
        self.view = view
        if view.live:
            self.hmi.look_now()
        self._show()

    # -- actions ---------------------------------------------------------------------------

    def action_pause(self) -> None:
        live = not self.view.live
        end = self.recording.now if live else self.view.end
        self._look_at(View(end, self.view.span, live=live))

    def action_newest(self) -> None:
        self._look_at(View(self.recording.now, self.view.span, live=True))

    def action_zoom(self, steps: int) -> None:
        about = self.view.end - self.view.span / 2
        batch = self.current if self.chosen is not None else None
        if batch is not None and self.view.begin < batch.end <= self.view.end:
            about = batch.end
        self._look_at(self.view.zoomed(steps, about))

    def action_scroll_time(self, steps: int) -> None:
        self._look_at(self.view.scrolled(steps, self.recording.begin, self.recording.now))

    @on(LaneView.Stepped)
    def _stepped(self, event: LaneView.Stepped) -> None:
        self.action_step(event.steps)

    def action_step(self, steps: int) -> None:
        """Choose the next batch, or the one before; the first time, the newest in view."""
        numbers = list(self.recording.batches)
        current = self.current
        if current is None or not numbers:
            self.notify(EMPTY)
            return
        number = current.number
        if self.chosen is not None and number in self.recording.batches:
            at = numbers.index(number) + steps
            number = numbers[max(0, min(at, len(numbers) - 1))]
        self._choose(number)

    def _choose(self, number: int) -> None:
        """What is looked at stays where it is: the picture is held."""
        self.chosen = number
        batch = self.recording.batches[number]
        computed = batch.end - batch.seconds.get("compute", 0.0)
        self._look_at(self.view.showing(computed, batch.end))

    @on(LaneView.Picked)
    def _picked(self, event: LaneView.Picked) -> None:
        if event.batch in self.recording.batches:
            self._choose(event.batch)

    def action_let_go(self) -> None:
        self.chosen = None
        self._show()

    @on(LaneView.Chosen)
    def _batch_entered(self) -> None:
        self._describe_batch()

    @on(SlotGrid.Chosen)
    def _slot_entered(self, event: SlotGrid.Chosen) -> None:
        self._describe_slot(event.slot)

    def action_describe(self) -> None:
        """The slot if the cursor is among them, else the batch."""
        if self.grid.has_focus and self.grid.current is not None:
            self._describe_slot(self.grid.current)
        else:
            self._describe_batch()

    @work(group="slot", exclusive=True)
    async def _describe_slot(self, number: int) -> None:
        with self.hmi.complaining():
            slot = await self.client.slot(number)
            self.app.push_screen(Facts(f"Slot {number}", slot_facts(slot), slot.adapter or ""))

    def _describe_batch(self) -> None:
        batch = self.current
        if batch is None:
            self.notify(EMPTY)
            return
        when = ("ended", figures.clock(batch.end))
        self.app.push_screen(Facts(f"Batch {batch.number}", [when, *batch_facts(batch)]))

    def action_save_trace(self) -> None:
        self.app.push_screen(trace_form(self.client, max(30.0, self.view.span)))

    @on(MouseScrollUp)
    def _closer(self) -> None:
        self.action_zoom(1)

    @on(MouseScrollDown)
    def _further(self) -> None:
        self.action_zoom(-1)
