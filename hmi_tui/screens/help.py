"""The keys that work here, and what this screen is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label

from engine.client import assets_dir
from hmi_tui.modes import MODE_TITLES
from hmi_tui.widgets.fact_list import FactList

EVERYWHERE = (
    (f"1-{len(MODE_TITLES)}", "Go to a mode; a click on its name does the same"),
    ("ctrl+p", "Every command by name, such as “vplm: Create”"),
    ("tab", "Next part of the screen; shift+tab goes back"),
    ("/", "Filter the list; enter keeps the filter, esc clears it"),
    ("enter", "Open what the cursor is on"),
    ("space", "Mark a row; delete and pin then take all marked ones"),
    ("esc", "One step back: close, clear the filter, clear the marks"),
    ("c", "Copy the name of the row"),
    ("ctrl+s", "Start the engine if it is not running"),
    ("q", "Quit; the engine goes on serving"),
)


class Help(ModalScreen[None]):
    """Contextual: the keys of the screen it was called from come first."""

    CSS_PATH = assets_dir() / "styles" / "facts.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close")]

    def __init__(self, title: str, about: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.title = title
        self.about = about
        self.keys = keys

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="facts") as window:
            window.border_title = f"Help · {self.title}"
            window.border_subtitle = "esc closes"
            yield Label(self.about, classes="about", markup=False)
            if self.keys:
                yield Label("Here", classes="heading")
                yield FactList(self.keys)
            yield Label("Everywhere", classes="heading -later")
            yield FactList(EVERYWHERE)
