"""`hmi tag`: texts in, spans out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hmi_tui.cli.ask import asks, batches_of, on_one_line, say_caveats
from hmi_tui.cli.grammar import connect
from hmi_tui.cli.output import show

if TYPE_CHECKING:
    from engine.schema import Mode, TagResponse


@asks()
def tag(id: str, texts: tuple[str, ...], mode: Mode | None) -> None:
    """Mark the spans of texts, or of the lines of stdin.

    Prints for each span the number of its text (from 1), where it starts and ends, its label, how
    sure it is, and its words. With --json a document with timing for every 1,024 texts. Quiet:
    labels only.
    """
    batches = batches_of(texts, "tag")
    before = 0
    with connect() as client:
        for batch in batches:
            answer = client.tag(id, batch, mode)
            _print(answer, batch, before)
            before += len(batch)


def _print(answer: TagResponse, texts: list[str], before: int) -> None:
    labels = [span.label for one in answer.data for span in one.spans]
    show(answer, labels, lambda: "\n".join(_rows(answer, before)))
    say_caveats(answer, texts, [one.truncated for one in answer.data])


def _rows(answer: TagResponse, before: int) -> Iterator[str]:
    for one in answer.data:
        for span in one.spans:
            where = f"{before + one.index + 1}\t{span.start}\t{span.end}"
            yield f"{where}\t{span.label}\t{span.score:.4f}\t{on_one_line(span.text)}"
