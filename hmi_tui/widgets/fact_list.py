"""Names and values in two columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import RenderResult
from textual.content import Content
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

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self._facts

    def tell(self, facts: Sequence[Fact]) -> None:
        if tuple(facts) != self._facts:
            self._facts = tuple(facts)
            self.refresh(layout=True)

    def render(self) -> RenderResult:
        names = max((len(fact[0]) for fact in self._facts), default=0)
        room = max(8, self.content_size.width - names - 2)
        return Content("\n").join(
            line
            for fact in self._facts
            for line in _lines((fact[0], hint(self, fact[1]), *fact[2:]), names, room)
        )


def _lines(fact: Fact, names: int, room: int) -> list[Content]:
    style = STYLES[fact[2]] if len(fact) == 3 else ""
    parts = Content(fact[1]).wrap(room) or [Content("")]
    lines = []
    for number, part in enumerate(parts):
        name = fact[0] if number == 0 else ""
        value = Content.styled(part.plain.rstrip(), style) if style else part
        lines.append(Content.assemble((name.ljust(names) + "  ", tones.MUTED), value))
    return lines
