"""A framed part of the overview: draws lines from the newest snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from hmi_tui import figures, tones
from hmi_tui.snapshot import Snapshot

TALL = 36
"""Lines from which on panels say everything."""


class Panel(Widget):
    """Subclasses give `lines`; the frame carries `TITLE`."""

    DEFAULT_CSS = """
    Panel { height: auto; border: round $frame; border-title-color: $muted;
            border-subtitle-color: $muted; padding: 0 1; }
    """
    TITLE: ClassVar[str] = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = self.TITLE
        self.snapshot = Snapshot()
        self._drawn = -1

    @property
    def short(self) -> bool:
        """Whether the screen is too low for everything: then a panel says what matters most."""
        return self.app.size.height < TALL

    def tell(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        count = len(self.lines(max(20, self.content_size.width)))
        self.refresh(layout=count != self._drawn)

    def lines(self, width: int) -> Sequence[Content]:
        """What to show in `width` cells."""
        raise NotImplementedError

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        self._drawn = len(self.lines(width))
        return self._drawn

    def render(self) -> RenderResult:
        return Content("\n").join(self.lines(self.content_size.width))


def bar_line(
    name: str, fraction: float | None, value: str, width: int, *, names: int = 10, values: int = 9
) -> Content:
    """`name ━━━━──── value`, the bar as long as there is room."""
    filled, rest = figures.line_bar(fraction, max(4, width - names - values - 2))
    style = tones.WARN if (fraction or 0) > 0.9 else tones.ACCENT
    return Content.assemble(
        (figures.shorten(name, names).ljust(names) + " ", tones.MUTED),
        (filled, style),
        (rest, tones.FRAME),
        " " + value.rjust(values),
    )


def muted(text: str) -> Content:
    return Content.styled(text, tones.MUTED)
