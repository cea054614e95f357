"""Everything that is known of one thing, in a window over its list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label

from engine.client import assets_dir
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.widgets.fact_list import Fact, FactList


class Facts(Named, ModalScreen[None]):
    """A title, pairs of name and value, and a line that says which key closes it."""

    CSS_PATH = assets_dir() / "styles" / "facts.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,d", "dismiss", "Close"),
        Binding("c", "copy", "Copy"),
    ]

    def __init__(self, title: str, facts: Sequence[Fact], copied: str = "") -> None:
        super().__init__()
        self.title = title
        self.facts = facts
        self.copied = copied

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="facts") as window:
            window.border_title = self.title
            window.border_subtitle = hint(
                self, ("<copy:c> copies · " if self.copied else "") + "<dismiss:esc> closes"
            )
            yield FactList(self.facts)
            if self.copied and all(fact[1] != self.copied for fact in self.facts):
                yield Label(self.copied, id="copied", markup=False)

    def action_copy(self) -> None:
        if self.copied:
            self.app.copy_to_clipboard(self.copied)
            self.notify("Copied.")
