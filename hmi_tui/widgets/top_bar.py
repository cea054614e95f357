"""The first line: the modes with their digits, and how the engine does."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from hmi_tui import figures, tones
from hmi_tui.modes import MODE_TITLES
from hmi_tui.snapshot import Snapshot

# Words of at most five letters: at 80 columns the tabs leave seven cells.
SIGNS = {
    "connecting": ("…", "wait", tones.MUTED),
    "starting": ("…", "wait", tones.WARN),
    "up": ("●", "up", tones.GOOD),
    "busy": ("!", "full", tones.WARN),
    "foreign": ("!", "other", tones.WARN),
    "silent": ("!", "stuck", tones.WARN),
    "lost": ("✗", "down", tones.BAD),
    "failed": ("✗", "down", tones.BAD),
}


class TopBar(Widget):
    """Tabs at the left, the engine's state at the right: a sign and a word, then a colour."""

    DEFAULT_CSS = """
    TopBar { height: auto; dock: top; background: $surface; link-style: none;
             link-style-hover: bold; link-color: $muted; link-background-hover: $cursor; }
    """
    snapshot: reactive[Snapshot] = reactive(Snapshot(), repaint=False)

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self._told = Content("")
        self._tabs_in: dict[str, list[Content]] = {}

    def watch_snapshot(self) -> None:
        """Every tick brings one; what looks the same as before is not drawn again."""
        lines = self._lines(self.size.width) if self.size.width else []
        told = Content("\n").join(lines)
        if (told.plain, told.spans) != (self._told.plain, self._told.spans):
            self.refresh(layout=len(lines) != self.size.height)

    def render(self) -> RenderResult:
        self._told = Content("\n").join(self._lines(self.size.width))
        return self._told

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return len(self._lines(width))

    def _lines(self, width: int) -> list[Content]:
        """The tabs on as many lines as they need, the state at the end of the last one."""
        short = self._state(0).cell_length
        needed = sum(len(title) + 4 for title in MODE_TITLES.values()) + short + 1
        pad = " " if needed <= width else ""
        tabs = self._tabs(pad)
        lines = [Content("")]
        for number, tab in enumerate(tabs, 1):
            room = width - (short if number == len(tabs) else 0)
            if lines[-1].cell_length + tab.cell_length > room:
                lines.append(Content(""))
            lines[-1] = Content.assemble(lines[-1], tab)
        last = lines[-1]
        state = self._state(width - last.cell_length - 1)
        gap = max(0, width - last.cell_length - state.cell_length - len(pad))
        lines[-1] = Content.assemble(last, " " * gap, state)
        return lines

    def _tabs(self, pad: str) -> list[Content]:
        """They stay as they are; only the state at their right changes."""
        if pad not in self._tabs_in:
            tabs = [self._tab(number, name, pad) for number, name in enumerate(MODE_TITLES, 1)]
            self._tabs_in[pad] = tabs
        return self._tabs_in[pad]

    def _tab(self, number: int, name: str, pad: str) -> Content:
        title = MODE_TITLES[name]
        here = name == self.mode
        digit = Content.styled(f"{pad}{number} ", "reverse bold" if here else tones.ACCENT)
        label = Content.styled(f"{title} ", "reverse bold" if here else tones.MUTED)
        return Content.assemble(digit, label).stylize(f"@click=app.open('{name}')")

    def _state(self, room: int) -> Content:
        sign, word, style = SIGNS[self.snapshot.link]
        status = self.snapshot.status
        if self.snapshot.up and not self.snapshot.ready:
            sign, word, style = SIGNS["starting"]
        elif self.snapshot.overloaded:
            sign, word, style = SIGNS["busy"]
        short = Content.assemble((f"{sign} {word}", style))
        if status is None or not self.snapshot.up:
            return short
        rates = status.rates
        more = (
            f" {figures.seconds(status.engine.uptime_s)}"
            f" · {figures.rate(rates.requests_per_s)} req/s · p99 {figures.seconds(rates.p99_s)}"
            f" · {figures.many(status.vplms, 'vPLM')}"
        )
        long = Content.assemble(short, (more, tones.MUTED))
        return long if long.cell_length <= room else short
