"""`hmi classify`: texts in, labels out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hmi_tui.cli.ask import as_pairs, asks, batches_of, in_pairs, on_one_line, say_caveats
from hmi_tui.cli.grammar import connect
from hmi_tui.cli.output import show

if TYPE_CHECKING:
    from engine.schema import ClassifyResponse, Mode


@asks(in_pairs)
def classify(id: str, texts: tuple[str, ...], mode: Mode | None, pairs: bool) -> None:
    """Classify texts, or the lines of stdin.

    Prints label, probability and text, a line each; of a multi-label vPLM all labels that hold,
    with commas between them. With --json a document with timing for every 1,024 texts. Quiet:
    labels only.
    """
    batches = batches_of(texts, "classify")
    with connect() as client:
        for batch in batches:
            asked = as_pairs(batch) if pairs else batch
            _print(client.classify(id, asked, mode), batch)


def _print(answer: ClassifyResponse, texts: list[str]) -> None:
    labels = [_label(answer, i) for i in range(len(answer.data))]
    show(answer, labels, lambda: "\n".join(_rows(answer, texts)))
    say_caveats(answer, texts, [one.truncated for one in answer.data])


def _label(answer: ClassifyResponse, index: int) -> str:
    one = answer.data[index]
    return one.label if one.labels is None else ",".join(one.labels)


def _rows(answer: ClassifyResponse, texts: list[str]) -> Iterator[str]:
    for index, one in enumerate(answer.data):
        yield f"{_label(answer, index)}\t{max(one.probs):.4f}\t{on_one_line(texts[one.index])}"
