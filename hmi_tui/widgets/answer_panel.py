"""An answer in one mode: the labels' probabilities as bars."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive

from engine.schema import ClassifyResponse
from hmi_tui import figures, tones
from hmi_tui.widgets.panel import Panel, muted

SHOWN = 8


class AnswerPanel(Panel):
    """`answer` is a response, an error in words, or None before anything was asked."""

    answer: reactive[ClassifyResponse | str | None] = reactive(None, layout=True)

    def lines(self, width: int) -> Sequence[Content]:
        answer = self.answer
        if answer is None:
            return [muted("Nothing was asked yet.")]
        if isinstance(answer, str):
            style = tones.BAD if answer.startswith("✗") else tones.MUTED
            return [Content.styled(line.plain, style) for line in Content(answer).wrap(width)]
        first = answer.data[0]
        ranked = sorted(zip(answer.labels, first.probs, strict=True), key=lambda pair: -pair[1])
        names = min(max(len(label) for label in answer.labels), max(8, width // 3))
        lines = [
            _bar(label, prob, width, names, n == 0)
            for n, (label, prob) in enumerate(ranked[:SHOWN])
        ]
        if len(ranked) > SHOWN:
            rest = sum(prob for _, prob in ranked[SHOWN:])
            lines.append(muted(f"and {len(ranked) - SHOWN} more, {figures.share(rest, 1)}"))
        if first.truncated:
            lines.append(Content.styled("! Too long: only its beginning was read.", tones.WARN))
        return lines


def _bar(label: str, prob: float, width: int, names: int, winner: bool) -> Content:
    room = max(4, width - names - 12)
    return Content.assemble(
        ("› " if winner else "  ", tones.ACCENT),  # noqa: RUF001
        (figures.shorten(label, names).ljust(names) + " ", tones.STRONG if winner else ""),
        (figures.block_bar(prob, room), tones.ACCENT if winner else tones.MUTED),
        (f" {figures.share(prob, 1):>8}", tones.STRONG if winner else ""),
    )
