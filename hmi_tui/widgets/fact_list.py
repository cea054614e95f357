"""Names and values in two columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from hmi_tui import tones
from hmi_tui.hints import hint
from hmi_tui.tones import STYLES, Tone

Fact = tuple[str, str] | tuple[str, str, Tone]
"""Name, value, and how the value is to be seen."""


class FactList(Widget):
    """Pairs of name and value; long values wrap under themselves."""

    DEFAULT_CSS = "FactList { height: auto; padding: 0 1; }"

    def __init__(self, facts: Sequence[Fact] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts = tuple(facts)
        self._drawn: list[Content] = []

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self._facts

    def tell(self, facts: Sequence[Fact]) -> None:
        """Show these. Only lines that are others are drawn again; as many as before need no new
        layout of the screen, which takes longer than all else that a key leads to."""
        if tuple(facts) == self._facts:
            return
        self._facts = tuple(facts)
        before, after = self._drawn, self._lines() if self.is_mounted else []
        if len(after) != len(before) or not after:
            self.refresh(layout=True)
            return
        lines = [y for y, both in enumerate(zip(before, after, strict=True)) if not _same(*both)]
        if lines:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in lines))

    def render(self) -> RenderResult:
        self._drawn = self._lines()
        return Content("\n").join(self._drawn)

    def _lines(self) -> list[Content]:
        names = max((len(fact[0]) for fact in self._facts), default=0)
        room = max(8, self.content_size.width - names - 2)
        return [
            line
            for fact in self._facts
            for line in _lines((fact[0], hint(self, fact[1]), *fact[2:]), names, room)
        ]


def _same(one: Content, other: Content) -> bool:
    return one.plain == other.plain and one.spans == other.spans


def _lines(fact: Fact, names: int, room: int) -> list[Content]:
    style = STYLES[fact[2]] if len(fact) == 3 else ""
    lines = []
    for number, text in enumerate(_wrapped(fact[1], room)):
        name = fact[0] if number == 0 else ""
        value = Content.styled(text, style) if style else Content(text)
        lines.append(Content.assemble((name.ljust(names) + "  ", tones.MUTED), value))
    return lines


def _wrapped(text: str, room: int) -> list[str]:
    if len(text) <= room and text.isascii() and "\n" not in text and "\t" not in text:
        return [text.rstrip()]  # nearly all of them
    return [part.plain.rstrip() for part in Content(text).wrap(room)] or [""]
