"""`hmi predict`: texts in, numbers out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hmi_tui.cli.ask import as_pairs, asks, batches_of, in_pairs, on_one_line, say_caveats
from hmi_tui.cli.grammar import connect
from hmi_tui.cli.output import show

if TYPE_CHECKING:
    from engine.schema import Mode, PredictResponse


@asks(in_pairs)
def predict(id: str, texts: tuple[str, ...], mode: Mode | None, pairs: bool) -> None:
    """Predict numbers for texts, or for the lines of stdin.

    Prints the numbers and the text, a line each. With --json a document with timing for every
    1,024 texts. Quiet: numbers only.
    """
    batches = batches_of(texts, "predict for")
    with connect() as client:
        for batch in batches:
            asked = as_pairs(batch) if pairs else batch
            _print(client.predict(id, asked, mode), batch)


def _print(answer: PredictResponse, texts: list[str]) -> None:
    numbers = ["\t".join(f"{value:.6g}" for value in one.values) for one in answer.data]
    show(answer, numbers, lambda: "\n".join(_rows(numbers, texts)))
    say_caveats(answer, texts, [one.truncated for one in answer.data])


def _rows(numbers: list[str], texts: list[str]) -> Iterator[str]:
    for number, text in zip(numbers, texts, strict=True):
        yield f"{number}\t{on_one_line(text)}"
