"""One thing of a description beside what there is: to be made, to be changed, or as described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from engine.client import Client

Sign = Literal["+", "~", "="]


@dataclass(frozen=True, slots=True)
class Done:
    """What applying a step brought that nobody can ask for again, or that goes on."""

    api_key: str | None = None
    job: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """`detail` says what it is to be or what changes; `count` is how
    many things it is of."""

    sign: Sign
    kind: Literal["tenant", "domain", "vplm"]
    name: str
    detail: str = ""
    count: int = 1
    apply: Callable[[Client], Done] = field(default=lambda _: Done(), compare=False)

    def __str__(self) -> str:
        return f"{self.sign} {self.kind} {self.name}  {self.detail}".rstrip()


def shift(label: str, before: object, after: object) -> str:
    """`label before -> after`."""
    return f"{label} {before} -> {after}"
