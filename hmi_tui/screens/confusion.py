"""The confusion matrix of a training's last evaluation, in a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.screen import ModalScreen
from textual.widgets import Label

from engine.client import assets_dir
from engine.schema import ClassReport, Confusion
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.widgets.matrix import Matrix


class ConfusionWindow(Named, ModalScreen[None]):
    """Scrolls both ways where there are many labels."""

    CSS_PATH = assets_dir() / "styles" / "confusion.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,m", "dismiss", "Close")]

    def __init__(
        self, title: str, confusion: Confusion, classes: Sequence[ClassReport] = ()
    ) -> None:
        super().__init__()
        self.title = title
        self.confusion = confusion
        self.reports = classes

    def compose(self) -> ComposeResult:
        with ScrollableContainer(id="confusion") as window:
            window.border_title = self.title
            window.border_subtitle = hint(self, "arrows scroll · <dismiss:esc> closes")
            yield Label(
                "Lines: the right labels. Columns: what the rows were taken for.",
                classes="about",
            )
            yield Matrix(self.confusion, self.reports)
