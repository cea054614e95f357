"""`hmi classify`: texts in, labels out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from engine.errors import BadInput
from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import readable, show, wants_json

if TYPE_CHECKING:
    from engine.schema import ClassifyResponse, Mode

BATCH = 64
"""Texts a request: with lines from a pipe, answers come while it still fills."""

BATCH_JSON = 1024
"""The most a request may hold: so few documents as can be."""


@click.command(cls=Leaf)
@click.argument("id", metavar="TENANT/NAME")
@click.argument("texts", metavar="[TEXT...|-]", nargs=-1)
@flag("--mode", type=click.Choice(["plot", "exact"]), help="Tables, or the backbone's own layers.")
@readable
def classify(id: str, texts: tuple[str, ...], mode: Mode | None) -> None:
    """Classify texts, or the lines of stdin.

    Prints label, probability and text, a line each. With --json a document with timing for
    every 1,024 texts. Quiet: labels only.
    """
    if not texts and sys.stdin.isatty():
        raise click.UsageError("Give a TEXT, or - to read lines from stdin.")
    lines = _stdin() if texts in ((), ("-",)) else texts
    with connect() as client:
        for batch in _batches(lines, BATCH_JSON if wants_json() else BATCH):
            _print(client.classify(id, batch, mode), batch)


def _stdin() -> Iterator[str]:
    try:
        for line in sys.stdin:
            yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"stdin is not text: {error}.", remedy="Give UTF-8 lines.") from error


def _batches(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    numbered = enumerate(lines, start=1)
    none = True
    while batch := list(islice(numbered, size)):
        none = False
        for number, text in batch:
            if not text.strip():
                raise BadInput(
                    f"Text {number} is empty.", remedy="Give a text with at least one word."
                )
        yield [text for _, text in batch]
    if none:
        raise BadInput("There is no text to classify.", remedy="Give one, or lines on stdin.")


def _print(answer: ClassifyResponse, texts: list[str]) -> None:
    labels = [one.label for one in answer.data]
    show(answer, labels, lambda: "\n".join(_rows(answer, texts)))
    if answer.timing.fallback is not None:
        say(f"Answered in exact mode: {answer.timing.fallback}")
    for one in answer.data:
        if one.truncated:
            say(f"Only the beginning was read of: {texts[one.index][:60]}...")


def _rows(answer: ClassifyResponse, texts: list[str]) -> Iterator[str]:
    for one in answer.data:
        # A tab or line end in the text would break the columns.
        yield f"{one.label}\t{max(one.probs):.4f}\t{' '.join(texts[one.index].split())}"
