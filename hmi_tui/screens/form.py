"""A form over the API's own request models: it refuses what the engine would refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, cast

from pydantic import ValidationError
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Button, Input, Label, Select

from engine.client import HmiError, assets_dir
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.widgets.field import Field, FieldRow

Values = dict[str, str]
Preview = Callable[[Values], Awaitable[str]]
"""What submitting would come to, in words; asked again whenever a value has changed."""
Submit = Callable[[Values], Awaitable[str]]
"""Does what the form is for; returns what to tell the operator. Raises HmiError if it cannot."""


PAUSE = 0.3
"""Seconds without another keystroke after which the preview is made anew."""


class Form(Named, ModalScreen[bool]):
    """Stays open, with everything that was typed, until it is accepted or given up."""

    CSS_PATH = assets_dir() / "styles" / "form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Give up"),
        Binding("ctrl+s", "submit", "Submit"),
        # Before the field sees it, or what is typed right after a tab would go to the field left.
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        submit: Submit,
        verb: str = "Create",
        preview: Preview | None = None,
    ) -> None:
        super().__init__()
        self.title = title
        self.fields = fields
        self.submit = submit
        self.verb = verb
        self.preview = preview
        self._preview_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="form") as window:
            window.border_title = self.title
            window.border_subtitle = hint(self, "tab next · enter submits · <give_up:esc> gives up")
            with VerticalScroll(id="fields", can_focus=False):
                for field in self.fields:
                    yield FieldRow(field)
            if self.preview is not None:
                yield Label("Reckoning what it costs …", id="preview", markup=False)
            yield Label("", id="problem", markup=False)
            with Horizontal(id="buttons"):
                yield Button(self.verb, id="submit", compact=True)
                yield Button("Give up", id="give-up", compact=True)

    def on_mount(self) -> None:
        rows = list(self.query(FieldRow))
        empty = next((row for row in rows if not row.value), rows[0])
        # Now, not when the application is idle: whoever sees the form may type into it.
        self.set_focus(empty.control_widget)
        self._foresee()

    @property
    def values(self) -> Values:
        return {row.field.name: row.value for row in self.query(FieldRow)}

    def action_give_up(self) -> None:
        self.workers.cancel_node(self)
        self.dismiss(False)

    @on(Input.Submitted)
    @on(Button.Pressed, "#submit")
    def action_submit(self) -> None:
        if not self.has_class("-busy"):
            self._send()

    @on(Button.Pressed, "#give-up")
    def _given_up(self) -> None:
        self.action_give_up()

    @on(Select.Changed)
    def _selected(self) -> None:
        self._say("")

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        if self.preview is not None:
            if self._preview_timer is not None:
                self._preview_timer.stop()
            self._preview_timer = self.set_timer(PAUSE, self._foresee)

    @work(group="preview", exclusive=True)
    async def _foresee(self) -> None:
        if self.preview is None:
            return
        try:
            told = await self.preview(self.values)
        except ValidationError:
            told = ""
        except HmiError as error:
            told = f"! {error}"
        self.query_one("#preview", Label).update(told)

    @work(group="form")
    async def _send(self) -> None:
        self._clear()
        self.add_class("-busy")
        self._say("Working …")
        try:
            done = await self.submit(self.values)
        except ValidationError as error:
            self._refused(error)
        except HmiError as error:
            self._say(f"✗ {error}")
        else:
            self.app.notify(done, markup=False)
            self.dismiss(True)
        finally:
            self.remove_class("-busy")

    def _clear(self) -> None:
        for row in self.query(FieldRow):
            row.complain("")

    def _refused(self, error: ValidationError) -> None:
        """Put each complaint at its field; what belongs to none goes below."""
        rows = {row.field.name: row for row in self.query(FieldRow)}
        rest = []
        for one in error.errors():
            text = plain_words(cast("dict[str, object]", one))
            row = rows.get(str(one["loc"][0]) if one["loc"] else "")
            if row is None:
                rest.append(text)
            else:
                row.complain(text)
        first = next((row for row in rows.values() if row.complaint), None)
        if first is not None:
            self.set_focus(first.control_widget)
        self._say("✗ " + (" ".join(rest) or "Some of this cannot be used; see above."))

    def _say(self, text: str) -> None:
        label = self.query_one("#problem", Label)
        label.update(hint(self, text))
        label.set_class(text.startswith("✗"), "-bad")


def plain_words(error: dict[str, object]) -> str:
    """A validation error of pydantic in words for an operator."""
    kind = str(error.get("type"))
    if kind == "string_pattern_mismatch":
        return "Small letters, digits, . _ and -; a letter or digit first; at most 63."
    if kind.startswith(("int_", "float_")):
        return "A number is wanted here."
    return str(error.get("msg")).removeprefix("Value error, ")
