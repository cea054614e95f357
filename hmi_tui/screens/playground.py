"""Playground: ask one vPLM, in both modes, and see how the answer came about."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from engine.client import Call, HmiError, assets_dir, calls
from engine.schema import ClassifyResponse, Mode, Vplm
from hmi_tui.asking import Reply, ask, call_of
from hmi_tui.continuing import Continued, go_on, going_on
from hmi_tui.hints import hint
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.picker import Picker
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.answer_panel import AnswerPanel
from hmi_tui.widgets.ask_box import AskBox
from hmi_tui.widgets.detail_panel import DetailPanel
from hmi_tui.widgets.tokens_panel import NOTHING_YET, TokensPanel

GENERATING = "Which tokens hit the table is told while a text is generated in plot mode."
OTHER: dict[Mode, Mode] = {"plot": "exact", "exact": "plot"}


class PlaygroundScreen(ModeScreen):
    MODE = "playground"
    ABOUT = (
        "Type a text and press <ask:enter>. The vPLM answers in its own mode, and in the other "
        "one for comparison: plot takes the lower layers from tables, exact computes them. Tokens "
        "are marked with the node whose table had their row, a generator's too, which goes on from "
        "the text, word by word, with one seed in both modes. <leave:esc> leaves the text, so that "
        "digits and letters are keys again; tab goes back to it."
    )
    CSS_PATH = assets_dir() / "styles" / "playground.tcss"
    AUTO_FOCUS = "#ask"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Ask", tooltip="Send the text to the vPLM"),
        Binding("ctrl+o", "choose", "Choose vPLM", tooltip="Choose another vPLM"),
        Binding("ctrl+t", "tokens", "Tokens", tooltip="On a narrow screen: tokens, or the timing"),
        Binding("escape", "leave", "Leave text", tooltip="Leave the text; digits are keys again"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.box = AskBox(id="ask", show_line_numbers=False, compact=True)
        self.own = AnswerPanel(id="own")
        self.other = AnswerPanel(id="other")
        self.detail = DetailPanel(id="detail")
        self.tokens = TokensPanel(id="tokens")
        self.vplm: Vplm | None = None
        self._sought = False

    def body(self) -> Iterable[Widget]:
        yield self.box
        yield VerticalScroll(
            Horizontal(self.own, self.other, id="answers"),
            self.tokens,
            self.detail,
            id="play",
            can_focus=False,
        )

    def on_mount(self) -> None:
        self._say_model()

    def see(self, snapshot: Snapshot) -> None:
        if snapshot.ready and snapshot.status and snapshot.status.vplms and self.vplm is None:
            if not self._sought:
                self._sought = True
                self._choose_first()
        else:
            self._say_model()

    @work
    async def _choose_first(self) -> None:
        """Begin with the vPLM that answers best, until the operator chooses."""
        with self.hmi.complaining():
            page = await self.client.vplms(limit=1, sort="-accuracy")
            if page.data and self.vplm is None:
                self._use(page.data[0])

    async def use(self, vplm_id: str) -> None:
        """Ask this vPLM from now on."""
        with self.hmi.complaining():
            self._use(await self.client.vplm(vplm_id))

    def _use(self, vplm: Vplm) -> None:
        if self.vplm is None or vplm.id != self.vplm.id:
            self.own.answer = self.other.answer = None
            self.detail.tell_answers(())
            self.tokens.tell_tokens(())
        self.vplm = vplm
        self._say_model()

    def _say_model(self) -> None:
        vplm = self.vplm
        self.box.border_subtitle = "enter asks · ctrl+j new line"
        if vplm is None:
            self.box.border_title = hint(
                self, "No vPLM yet: <leave:esc>, then <open-tenants:2> and <new:n> create one"
            )
            return
        kind = "" if vplm.task == "classify" else f" · {vplm.task}"
        self.box.border_title = f"Ask {vplm.id}{kind} · domain {vplm.domain} · {vplm.mode} mode"
        if vplm.task == "pair":
            self.box.border_subtitle = "two lines are two texts · enter asks · ctrl+j new line"
        self.own.border_title = f"{vplm.mode} · its own mode"
        self.other.border_title = f"{OTHER[vplm.mode]} · to compare"

    def call(self) -> Call[Any]:
        if self.vplm is None:
            return calls.vplms()
        return call_of(self.vplm, self.box.text or "Your text")

    def action_tokens(self) -> None:
        """Where there is no room for both: the tokens in place of the timing, or back."""
        self.toggle_class("-tokens")

    def action_leave(self) -> None:
        self.set_focus(None)

    @work
    async def action_choose(self) -> None:
        vplm = await self.app.push_screen_wait(Picker(self.client))
        if vplm is not None:
            self._use(vplm)
            self.box.focus()

    @on(AskBox.Sent)
    def action_ask(self) -> None:
        if self.vplm is None:
            self.notify("Choose a vPLM first: <choose:ctrl+o>.")
        elif self.vplm.task == "generate":
            self._go_on(self.vplm, self.box.text)
        else:
            self._ask(self.vplm, self.box.text)

    @work(exclusive=True, group="ask")
    async def _go_on(self, vplm: Vplm, text: str) -> None:
        """In both modes with one seed, the own one first. Another question ends it."""
        self.own.answer = self.other.answer = "…"
        self.detail.tell_answers(())
        self.tokens.tell_tokens((), GENERATING)
        seed, ended = secrets.randbits(31), list[Continued]()
        for panel, mode in ((self.own, vplm.mode), (self.other, OTHER[vplm.mode])):
            try:
                async with aclosing(go_on(self.client, going_on(vplm, text, mode, seed))) as said:
                    async for so_far in said:
                        panel.answer = so_far
                        if mode == "plot":
                            self.tokens.tell_tokens(so_far.origins, _why_none(so_far))
                        if so_far.timing is not None:
                            ended.append(so_far)
                            self.detail.tell_answers(ended)
            except HmiError as error:
                panel.answer = f"✗ {error}"

    @work(exclusive=True, group="ask")
    async def _ask(self, vplm: Vplm, text: str) -> None:
        """One mode after the other, so that neither waits for the other's batch."""
        self.own.answer = self.other.answer = "…"
        self.detail.tell_answers(())
        self.tokens.tell_tokens(())
        answers: list[Reply] = []
        try:
            for panel, mode in ((self.own, vplm.mode), (self.other, OTHER[vplm.mode])):
                answer = await ask(self.client, vplm, text, mode)
                if isinstance(answer, ClassifyResponse) and answer.tokens is not None:
                    why = answer.timing.fallback or NOTHING_YET
                    self.tokens.tell_tokens(answer.tokens[0], why)
                panel.answer = answer
                answers.append(answer)
                self.detail.tell_answers(answers)
        except HmiError as error:
            for panel in (self.own, self.other):
                if panel.answer == "…":
                    panel.answer = f"✗ {error}"


def _why_none(said: Continued) -> str:
    """Why no token of a text has an origin, if none has."""
    fallback = None if said.timing is None else said.timing.fallback
    return fallback or GENERATING
