"""A framed part of the overview: draws lines from the newest snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import RenderResult
from textual.content import Content, Span
from textual.geometry import Size

from hmi_tui import figures, tones
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.still_frame import StillFrame

TALL = 36
"""Lines from which on panels say everything."""


class Panel(StillFrame):
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
        self._told: list[tuple[str, Sequence[Span]]] = []

    @property
    def short(self) -> bool:
        """Whether the screen is too low for everything: then a panel says what matters most."""
        return self.app.size.height < TALL

    def tell(self, snapshot: Snapshot) -> None:
        """Show the snapshot; what looks the same as before is not drawn again."""
        self.snapshot = snapshot
        lines = [(line.plain, line.spans) for line in self.lines(max(20, self.content_size.width))]
        if lines != self._told:
            self.refresh(layout=len(lines) != len(self._told))
            self._told = lines

    def lines(self, width: int) -> Sequence[Content]:
        """What to show in `width` cells."""
        raise NotImplementedError

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return len(self.lines(width))

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
