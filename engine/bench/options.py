"""What the measurements' command lines have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial, wraps
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from engine.bench.subject import ModelChoice, Subject
from engine.config import parse_size
from engine.errors import HmiError

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

flag = partial(click.option, show_envvar=True, show_default=True)
FILE = click.Path(path_type=Path)
_UNITS = {"k": 1_000, "M": 1_000_000}


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except HmiError as error:
        raise ValueError(str(error)) from error


def _count(text: str) -> int:
    """A positive number such as 10000, 10k or 1M (powers of 1000)."""
    unit = _UNITS.get(text[-1:], 1)
    value = int(text[:-1] if unit > 1 else text) * unit
    if value < 1:
        raise ValueError(f"{text} is not positive")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"{text} is not between 0 and 1")
    return value


class One(click.ParamType[Any], Generic[T]):
    """A value that `read` makes of its text, or refuses with ValueError."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}.", param, ctx)


def _listed(read: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    def all_of(text: str) -> tuple[T, ...]:
        return tuple(read(part.strip()) for part in text.split(",") if part.strip())

    return all_of


def _pair(text: str) -> tuple[str, str]:
    name, equals, corpus = text.partition("=")
    if not (name and equals and corpus):
        raise ValueError("write it as DATASET=CORPUS")
    return name, corpus


SIZE = One("size", _size)
COUNTS = One("counts", _listed(_count))
SHARES = One("shares", _listed(_share))
NAMES = One("names", _listed(str))
PAIR = One("pair", _pair)


def common(command: F) -> F:
    """What every measurement takes."""
    for add in reversed(
        (
            flag("--seed", type=click.IntRange(0), default=0, help="Decides all that is random."),
            flag("--out", type=FILE, metavar="FILE", help="Write the results here, as JSON."),
            flag("--json", "as_json", envvar="HMI_JSON", is_flag=True, help="Print them as JSON."),
        )
    ):
        command = add(command)
    return command


def on_texts(command: Callable[..., Any]) -> Callable[..., Any]:
    """What measurements of the model take besides; the command gets it as its `subject`."""

    @wraps(command)
    def with_subject(**given: Any) -> Any:
        choice = ModelChoice(**{each.name: given.pop(each.name) for each in fields(ModelChoice)})
        subject = Subject(
            choice,
            given.pop("data"),
            given.pop("datasets"),
            dict(given.pop("domain")),
            given.pop("threads"),
        )
        return command(subject=subject, **given)

    for add in reversed(_TEXT_FLAGS):
        with_subject = add(with_subject)
    return with_subject


_TEXT_FLAGS = (
    flag("--data", type=FILE, metavar="DIR", help="Datasets and corpora (the demo's)."),
    flag("--datasets", type=NAMES, default="", metavar="A,B", help="Only these (all)."),
    flag(
        "--domain",
        type=PAIR,
        multiple=True,
        metavar="NAME=CORPUS",
        help="The corpus that belongs to a dataset; may be repeated.",
    ),
    flag("--threads", type=click.IntRange(0), default=0, help="Of math; 0 is one a core."),
    flag("--backbone", type=FILE, metavar="DIR", help="A checkpoint of the BERT family."),
    flag("--split", type=click.IntRange(1), help="How many layers come from tables."),
    flag("--encoder", type=FILE, metavar="FILE", help="An n-gram encoder for that split."),
    flag("--encoders", type=FILE, metavar="DIR", help="Domains' own: DOMAIN.safetensors."),
    flag("--device", default="cpu", help="auto, cpu, cuda or cuda:N."),
    flag(
        "--dtype",
        type=click.Choice(["auto", "float32", "bfloat16"]),
        default="auto",
        help="Of the layers; auto is as in serving.",
    ),
    flag("--alpha", type=click.FloatRange(0, 1), default=0.5, help="Of the tables."),
    flag("--table-cache", type=SIZE, default="512M", help="For rows that are computed."),
)
