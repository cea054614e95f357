"""One line of a form: a name, something to fill in, a hint, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from hmi_tui.widgets.file_suggester import FileSuggester


@dataclass(frozen=True, slots=True)
class Field:
    """What a form asks for."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    kind: Literal["text", "choice", "file"] = "text"
    options: Sequence[str] = ()
    suggester: Suggester | None = None
    """Completes a text as it is typed; a file's path is completed without."""


class FieldRow(Vertical):
    """A field on the screen."""

    DEFAULT_CSS = """
    FieldRow { height: auto;
        & > Horizontal { height: 1; }
        & .name { width: 16; color: $muted; }
        & Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $panel; }
        & Input:focus { background: $primary 25%; }
        & Select { width: 1fr; }
        & .complaint { display: none; padding-left: 16; color: $error; width: 1fr; }
        &.-wrong .complaint { display: block; }
    }
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field
        self.complaint = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(self.field.label, classes="name", markup=False)
            yield self._control()
        yield Label("", classes="complaint", markup=False)

    def _control(self) -> Widget:
        field = self.field
        if field.kind == "choice":
            value = field.value if field.value in field.options else Select.NULL
            return Select(
                [(option, option) for option in field.options],
                value=value,
                allow_blank=not field.options or value is Select.NULL,
                compact=True,
            )
        return Input(
            value=field.value,
            placeholder=field.hint,
            compact=True,
            suggester=FileSuggester() if field.kind == "file" else field.suggester,
        )

    @property
    def control_widget(self) -> Widget:
        return self.query_one("Select" if self.field.kind == "choice" else "Input", Widget)

    @property
    def value(self) -> str:
        """As it is now; until it is on the screen, as it is going to be."""
        for choice in self.query(Select):
            return choice.value if isinstance(choice.value, str) else ""
        for text in self.query(Input):
            return text.value.strip()
        return self.field.value

    def complain(self, text: str) -> None:
        """Say what is wrong with the value, or with an empty text that nothing is."""
        self.complaint = text
        self.query_one(".complaint", Label).update(f"✗ {text}" if text else "")
        self.set_class(bool(text), "-wrong")

    @on(Input.Changed)
    def _typed(self) -> None:
        if self.complaint:
            self.complain("")
