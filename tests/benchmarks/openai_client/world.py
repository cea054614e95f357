"""What every check has at hand: clients with keys, and ways to ask that must be refused."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TALE = "acme/tale"
PROMPT = "Once upon a time"
LONG = {"prompt": PROMPT, "max_tokens": 200, "extra_body": {"ignore_eos": True}}
"""Seconds of work, so that whoever leaves it leaves early."""
FREED_S = 5.0

openai: Any = importlib.import_module("openai")


@dataclass(frozen=True)
class World:
    """Clients with the keys of a tenant, and of the operator."""

    url: str
    acme: Any
    """Checks every whole answer against the client's own types, to the letter."""
    plain: Any
    """As everybody has it: takes what it can read."""
    operator: Any

    def living(self) -> int:
        """Texts that are being generated."""
        return int(self.operator.get("/status", cast_to=object)["generators"]["living"])

    def freed(self) -> float:
        """Seconds until no text lives any more."""
        began = time.monotonic()
        while self.living():
            took = time.monotonic() - began
            assert took < FREED_S, f"a text lives on after {took:.1f} s"
        return time.monotonic() - began


def complete(world: World, **asked: Any) -> Any:
    return world.plain.completions.create(**{"model": TALE, "prompt": PROMPT, **asked})


def refused(kind: Any, code: str, ask: Callable[[], object]) -> Any:
    """The error, which is of that kind and says why."""
    try:
        ask()
    except kind as error:
        found = error
    else:
        raise AssertionError(f"it was answered and not refused with {kind.__name__}")
    assert found.code == code, f"code {found.code} and not {code}: {found}"
    assert len(str(found)) > len("Error code: 422 - "), "the client does not say why"
    return found
