"""An answer of any task as lines of a panel."""

from __future__ import annotations

from textual.content import Content

from engine.schema import (
    ClassifyResponse,
    EmbeddingsResponse,
    PredictResponse,
    TagResponse,
)
from hmi_tui import figures, tones
from hmi_tui.asking import Reply
from hmi_tui.continuing import Continued
from hmi_tui.widgets.panel import muted

SHOWN = 8
CURSOR = "▌"
"""Where a text that still grows goes on."""


def answer_lines(answer: Reply, width: int) -> list[Content]:
    """What the first text was answered."""
    if isinstance(answer, ClassifyResponse):
        lines = _labels(answer, width)
    elif isinstance(answer, TagResponse):
        lines = _spans(answer, width)
    elif isinstance(answer, PredictResponse):
        lines = _numbers(answer)
    else:
        lines = _vector(answer, width)
    if answer.data[0].truncated:
        lines.append(Content.styled("! Too long: only its beginning was read.", tones.WARN))
    return lines


def continued_lines(said: Continued, width: int) -> list[Content]:
    """A generator's text so far, and once it has ended what it took."""
    timing, usage = said.timing, said.usage
    lines = list(Content(said.text + ("" if said.finish else CURSOR)).wrap(width))
    if timing is None or usage is None:
        return lines
    if timing.fallback is not None:
        lines.append(muted(f"Exact instead of plot: {timing.fallback}"))
    tokens = figures.count(usage.completion_tokens)
    facts = (
        "it ended by itself" if said.finish == "stop" else f"cut at {tokens} tokens",
        f"{tokens} tokens in {figures.seconds(timing.total_s)}",
    )
    told = Content(" · ".join(facts))
    return lines + [muted(line.plain) for line in told.wrap(width)]


def _labels(answer: ClassifyResponse, width: int) -> list[Content]:
    first = answer.data[0]
    ranked = sorted(zip(answer.labels, first.probs, strict=True), key=lambda pair: -pair[1])
    names = min(max(len(label) for label in answer.labels), max(8, width // 3))
    # Of several labels those are marked that hold; else the most probable one.
    marked = {ranked[0][0]} if first.labels is None else set(first.labels)
    lines = [_bar(label, prob, width, names, label in marked) for label, prob in ranked[:SHOWN]]
    if len(ranked) > SHOWN:
        rest = sum(prob for _, prob in ranked[SHOWN:])
        told = f", {figures.share(rest, 1)}" if first.labels is None else ""
        lines.append(muted(f"and {len(ranked) - SHOWN} more{told}"))
    return lines


def _spans(answer: TagResponse, width: int) -> list[Content]:
    spans = answer.data[0].spans
    if not spans:
        return [muted("No spans.")]
    names = min(max(len(span.label) for span in spans), max(8, width // 3))
    room = max(4, width - names - 12)
    lines = [
        Content.assemble(
            (figures.shorten(span.label, names).ljust(names) + " ", tones.ACCENT),
            (figures.shorten(" ".join(span.text.split()), room).ljust(room), tones.STRONG),
            f" {figures.share(span.score, 1):>8}",
        )
        for span in spans[:SHOWN]
    ]
    if len(spans) > SHOWN:
        lines.append(muted(f"and {len(spans) - SHOWN} more"))
    return lines


def _numbers(answer: PredictResponse) -> list[Content]:
    pairs = list(zip(answer.outputs, answer.data[0].values, strict=True))
    names = max(len(name) for name, _ in pairs)
    lines = [
        Content.assemble((name.ljust(names) + "  ", tones.MUTED), (f"{value:.6g}", tones.STRONG))
        for name, value in pairs[:SHOWN]
    ]
    if len(pairs) > SHOWN:
        lines.append(muted(f"and {len(pairs) - SHOWN} more"))
    return lines


def _vector(answer: EmbeddingsResponse, width: int) -> list[Content]:
    numbers = answer.data[0].embedding
    if isinstance(numbers, str):
        return [muted("A vector in base64.")]
    length = sum(number * number for number in numbers) ** 0.5
    shown = ", ".join(f"{number:.3f}" for number in numbers[:64])
    wrapped = Content(shown).wrap(max(width, 8))
    lines = [Content.styled(f"{len(numbers)} dimensions, length {length:.3f}", tones.STRONG)]
    lines += wrapped[:SHOWN]
    if len(wrapped) > SHOWN or len(numbers) > 64:
        lines.append(muted("and so on"))
    return lines


def _bar(label: str, prob: float, width: int, names: int, winner: bool) -> Content:
    room = max(4, width - names - 12)
    return Content.assemble(
        ("› " if winner else "  ", tones.ACCENT),  # noqa: RUF001
        (figures.shorten(label, names).ljust(names) + " ", tones.STRONG if winner else ""),
        (figures.block_bar(prob, room), tones.ACCENT if winner else tones.MUTED),
        (f" {figures.share(prob, 1):>8}", tones.STRONG if winner else ""),
    )
