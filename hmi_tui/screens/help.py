"""The keys that work here, and what this screen is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label

from engine.client import assets_dir
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.modes import MODE_TITLES
from hmi_tui.widgets.fact_list import FactList

EVERYWHERE = (
    ("", f"1-{len(MODE_TITLES)}", "Go to a mode; a click on its name does the same"),
    ("command_palette", "ctrl+p", "Every command by name, such as “vplm: Create”"),
    ("", "tab", "Next part of the screen; shift+tab goes back"),
    ("filter", "/", "Filter the list; enter keeps the filter, esc clears it"),
    ("choose", "enter", "Open what the cursor is on"),
    ("mark", "space", "Mark a row; delete, pin and copy then take all marked ones"),
    ("clear", "esc", "One step back: close, clear the filter, clear the marks"),
    ("copy", "c", "Copy the name of the row, or of all marked ones"),
    ("", "A-Z", "Sort the list by a column; the same letter again reverses"),
    ("show_call", "ctrl+u", "The API call behind the screen, as a curl command to copy"),
    ("start_engine", "ctrl+s", "Start the engine if it is not running"),
    ("quit", "q", "Quit; the engine goes on serving"),
)
"""Name, usual key and what it does; without a name it cannot be changed."""


class Help(Named, ModalScreen[None]):
    """Contextual: the keys of the screen it was called from come first."""

    CSS_PATH = assets_dir() / "styles" / "facts.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close")]

    def __init__(
        self,
        title: str,
        about: str,
        keys: Sequence[tuple[str, str]],
        chosen: Mapping[str, str],
        names: Sequence[str],
        config: Path,
    ) -> None:
        """`chosen` keys, by the action's name, stand for the usual ones. `names` are those by
        which the file `config` may change keys."""
        super().__init__()
        self.title = title
        self.about = about
        self.keys = keys
        self.chosen = chosen
        self.names = names
        self.config = config

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="facts") as window:
            window.border_title = f"Help · {self.title}"
            window.border_subtitle = hint(self, "<dismiss:esc> closes")
            yield Label(hint(self, self.about), classes="about", markup=False)
            if self.keys:
                yield Label("Here", classes="heading")
                yield FactList(self.keys)
            yield Label("Everywhere", classes="heading -later")
            yield FactList([(self.chosen.get(name, key), what) for name, key, what in EVERYWHERE])
            yield Label("Other keys", classes="heading -later")
            yield Label(
                f'{self.config} changes them: under [keys], a line such as {self.names[0]} = "f5". '
                f"The names are {', '.join(self.names)}.",
                classes="about",
                markup=False,
            )
