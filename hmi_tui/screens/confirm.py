"""Asks before anything is lost, naming the thing."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from engine.client import assets_dir
from hmi_tui.keys import Named


class Confirm(Named, ModalScreen[bool]):
    """`question` names the thing, `consequence` says what goes with it; No is the default."""

    CSS_PATH = assets_dir() / "styles" / "confirm.tcss"
    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", id="no"),
        Binding("y", "answer(True)", "Yes", id="yes"),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, consequence: str = "", verb: str = "Delete") -> None:
        super().__init__()
        self.question = question
        self.consequence = consequence
        self.verb = verb

    def compose(self) -> ComposeResult:
        with Vertical(id="confirm"):
            yield Label(self.question, id="question", markup=False)
            if self.consequence:
                yield Label(self.consequence, id="consequence", markup=False)
            with Horizontal():
                yield Button("No, keep it (n)", id="no", compact=True)
                yield Button(f"Yes, {self.verb.lower()} (y)", id="yes", compact=True)

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
