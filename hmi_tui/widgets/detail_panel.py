"""How an answer was computed: the stages' seconds in both modes, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from hmi_tui import figures, tones
from hmi_tui.asking import Reply
from hmi_tui.hints import hint
from hmi_tui.widgets.panel import Panel, muted

VALUES = 14

Row = tuple[str, Callable[[Reply], str], str]

STAGES = ("queue", "retrieve", "load", "compute")

ROWS: tuple[Row, ...] = (
    ("queue", lambda r: figures.seconds(r.timing.queue_s), "waiting for its batch"),
    (
        "retrieve",
        lambda r: figures.seconds(r.timing.retrieve_s),
        "lower layers, from tables or not",
    ),
    ("load", lambda r: figures.seconds(r.timing.load_s), "adapters to the device"),
    ("compute", lambda r: figures.seconds(r.timing.compute_s), "upper layers and head"),
    ("table hits", lambda r: figures.share(r.timing.hit_rate), "tokens found in the table"),
    ("computed", lambda r: _made(r), "rows computed now, and lately"),
    ("adapter was", lambda r: r.timing.tier, "tier when the request came"),
    ("batch", lambda r: _batch(r), "texts, of how many vPLMs"),
    ("tokens", lambda r: figures.count(r.usage.prompt_tokens), "of the text"),
)


class DetailPanel(Panel):
    TITLE = "How it was computed"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.answers: tuple[Reply, ...] = ()

    def tell_answers(self, answers: Sequence[Reply]) -> None:
        self.answers = tuple(answers)
        self.refresh(layout=True)

    def lines(self, width: int) -> Sequence[Content]:
        if not self.answers:
            return [muted(hint(self, "Type a text and press <ask:enter>."))]
        modes = "".join(answer.timing.mode.rjust(VALUES) for answer in self.answers)
        reasons = dict.fromkeys(answer.timing.fallback for answer in self.answers)
        lines = [muted(f"Exact instead of plot: {why}") for why in reasons if why is not None]
        lines.append(muted(" " * 12 + modes))
        for name, read, meaning in ROWS:
            values = "".join(read(answer).rjust(VALUES) for answer in self.answers)
            room = width - 12 - len(values) - 3
            note = f"   {meaning}" if len(meaning) <= room else ""
            lines.append(
                Content.assemble((name.ljust(12), tones.MUTED), values, (note, tones.MUTED))
            )
        lines += [_lane(answer, width) for answer in self.answers]
        return lines


def _made(response: Reply) -> str:
    timing = response.timing
    if timing.computed_rate is None:
        return figures.NOTHING
    lately = timing.cached_rate or 0.0
    return f"{figures.share(timing.computed_rate)}, {figures.share(lately)}"


def _batch(response: Reply) -> str:
    return f"{response.timing.batch_size} of {response.timing.batch_models}"


def _lane(response: Reply, width: int) -> Content:
    """The stages' shares of the time as letters: qqrrrrcccccc."""
    timing = response.timing
    parts = [(stage, float(getattr(timing, stage + "_s"))) for stage in STAGES]
    total = sum(part for _, part in parts)
    room = max(8, width - 24)
    lane = "".join(stage[0] * round(part / total * room) for stage, part in parts) if total else ""
    return Content.assemble(
        (timing.mode.ljust(12), tones.MUTED),
        (lane[:room].ljust(room), tones.ACCENT),
        figures.seconds(total).rjust(10),
    )
