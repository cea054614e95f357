"""What the commands share that ask a vPLM about texts: from arguments or stdin, in batches."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import click

from engine.errors import BadInput
from hmi_tui.cli.grammar import Leaf, flag, say
from hmi_tui.cli.output import readable, wants_json

if TYPE_CHECKING:
    from engine.schema import Input, Timing

BATCH = 64
"""Texts a request: with lines from a pipe, answers come while it still fills."""

BATCH_JSON = 1024
"""The most a request may hold: so few documents as can be."""


Run = Callable[..., Any]


def asks(*more: Callable[[Run], Run]) -> Callable[[Run], click.Command]:
    """A command that asks a vPLM: what all of them take, `more` of its own, and --json and -q."""

    def command(run: Run) -> click.Command:
        takes: tuple[Callable[[Run], Run], ...] = (
            readable,
            *more,
            flag(
                "--mode",
                type=click.Choice(["plot", "exact"]),
                help="Tables, or the backbone's own layers.",
            ),
            click.argument("texts", metavar="[TEXT...|-]", nargs=-1),
            click.argument("id", metavar="TENANT/NAME"),
        )
        for take in takes:
            run = take(run)
        return click.command(cls=Leaf)(run)

    return command


in_pairs = flag(
    "--pairs", is_flag=True, help="Each TEXT is two, with a tab between them, or a JSON object."
)


class Answered(Protocol):
    """What the answers to all of these commands have."""

    @property
    def timing(self) -> Timing: ...


def batches_of(texts: tuple[str, ...], verb: str) -> Iterator[list[str]]:
    """The TEXT arguments, or the lines of stdin, so many as go into a request. `verb` is what is
    done to them. UsageError or BadInput if there are none."""
    if not texts and sys.stdin.isatty():
        raise click.UsageError("Give a TEXT, or - to read lines from stdin.")
    lines = _stdin() if texts in ((), ("-",)) else texts
    return _batches(lines, BATCH_JSON if wants_json() else BATCH, verb)


def as_pairs(lines: Sequence[str]) -> list[Input]:
    """Each line's two texts: separated by a tab, or as {"text": ..., "text_pair": ...}."""
    from engine.schema import TextPair

    pairs: list[Input] = []
    for line in lines:
        first, tab, second = line.partition("\t")
        if not tab:
            try:
                found = json.loads(line)
                first, second = found["text"], found["text_pair"]
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(
                    f"{line[:60]!r} is not two texts.",
                    remedy="Separate them by a tab, or give them as a JSON object with text and "
                    "text_pair.",
                ) from error
        pairs.append(TextPair(text=first, text_pair=second))
    return pairs


def on_one_line(text: str) -> str:
    """A tab or line end in a text would break the columns."""
    return " ".join(text.split())


def say_caveats(answer: Answered, texts: Sequence[str], truncated: Sequence[bool]) -> None:
    """What stderr is told of an answer: another mode than asked for, texts that were cut."""
    if answer.timing.fallback is not None:
        say(f"Answered in exact mode: {answer.timing.fallback}")
    for text, cut in zip(texts, truncated, strict=True):
        if cut:
            say(f"Only the beginning was read of: {text[:60]}...")


def _stdin() -> Iterator[str]:
    try:
        for line in sys.stdin:
            yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"stdin is not text: {error}.", remedy="Give UTF-8 lines.") from error


def _batches(lines: Iterable[str], size: int, verb: str) -> Iterator[list[str]]:
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
        raise BadInput(f"There is no text to {verb}.", remedy="Give one, or lines on stdin.")
