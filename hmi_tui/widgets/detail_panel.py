"""How an answer was computed: the stages' seconds in both modes, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from engine.schema import Timing
from engine.schema.completions import CompletionTiming
from hmi_tui import figures, tones
from hmi_tui.asking import Reply
from hmi_tui.continuing import Continued
from hmi_tui.hints import hint
from hmi_tui.widgets.panel import Panel, muted

VALUES = 14
NAMES = 13

Timed = Timing | CompletionTiming
Row = tuple[str, Callable[[Timed], str], str]

STAGES = ("queue", "load", "retrieve", "compute")

ROWS: tuple[Row, ...] = (
    ("queue", lambda t: figures.seconds(t.queue_s), "waiting for its batch"),
    ("load", lambda t: figures.seconds(t.load_s), "adapters to the device"),
    ("retrieve", lambda t: figures.seconds(t.retrieve_s), "lower layers, from tables or not"),
    ("compute", lambda t: figures.seconds(t.compute_s), "upper layers and head"),
    ("table hits", lambda t: figures.share(t.hit_rate), "tokens found in the table"),
    ("computed", lambda t: _made(t), "rows computed now, and lately"),
    ("adapter was", lambda t: t.tier, "tier when the request came"),
    ("batch", lambda t: f"{t.batch_size} of {t.batch_models}", "texts, of how many vPLMs"),
)


class DetailPanel(Panel):
    TITLE = "How it was computed"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.answers: tuple[Reply | Continued, ...] = ()

    def tell_answers(self, answers: Sequence[Reply | Continued]) -> None:
        """Texts that go on are told of once they have ended."""
        self.answers = tuple(answers)
        self.refresh(layout=True)

    def lines(self, width: int) -> Sequence[Content]:
        timings = [answer.timing for answer in self.answers if answer.timing is not None]
        if not timings:
            return [muted(hint(self, "Type a text and press <ask:enter>."))]
        reasons = dict.fromkeys(timing.fallback for timing in timings)
        lines = [muted(f"Exact instead of plot: {why}") for why in reasons if why is not None]
        lines.append(muted(" " * NAMES + _values([timing.mode for timing in timings])))
        lines += [
            _line(name, [read(timing) for timing in timings], meaning, width)
            for name, read, meaning in ROWS
        ]
        read = [answer.usage.prompt_tokens for answer in self.answers if answer.usage is not None]
        lines.append(_line("tokens", list(map(figures.count, read)), "of the text", width))
        lines += _pace([each for each in self.answers if isinstance(each, Continued)], width)
        return lines + [_lane(timing, width) for timing in timings]


def _pace(texts: Sequence[Continued], width: int) -> list[Content]:
    """How much was said, and how fast; nothing for answers that are no texts."""
    said, firsts, each = [], [], []
    for text in texts:
        if text.timing is not None and text.usage is not None:
            tokens, first = text.usage.completion_tokens, text.timing.first_token_s
            further = (text.timing.total_s - first) / (tokens - 1) if tokens > 1 else None
            said.append(figures.count(tokens))
            firsts.append(figures.seconds(first))
            each.append(figures.seconds(further))
    if not said:
        return []
    return [
        _line("said", said, "tokens more", width),
        _line("first token", firsts, "after the request", width),
        _line("each further", each, "on average", width),
    ]


def _line(name: str, values: Sequence[str], meaning: str, width: int) -> Content:
    shown = _values(values)
    note = f"   {meaning}" if len(meaning) <= width - NAMES - len(shown) - 3 else ""
    return Content.assemble((name.ljust(NAMES), tones.MUTED), shown, (note, tones.MUTED))


def _values(values: Sequence[str]) -> str:
    return "".join(value.rjust(VALUES) for value in values)


def _made(timing: Timed) -> str:
    if timing.computed_rate is None:
        return figures.NOTHING
    lately = timing.cached_rate or 0.0
    return f"{figures.share(timing.computed_rate)}, {figures.share(lately)}"


def _lane(timing: Timed, width: int) -> Content:
    """The stages' shares of the time as letters: qqrrrrcccccc."""
    parts = [(stage, float(getattr(timing, stage + "_s"))) for stage in STAGES]
    total = sum(part for _, part in parts)
    room = max(8, width - NAMES - 12)
    lane = "".join(stage[0] * round(part / total * room) for stage, part in parts) if total else ""
    return Content.assemble(
        (timing.mode.ljust(NAMES), tones.MUTED),
        (lane[:room].ljust(room), tones.ACCENT),
        figures.seconds(total).rjust(10),
    )
