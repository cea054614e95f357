"""Somebody at a real terminal: types keys and reads the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import pyte

from tests.benchmarks.terminal import Terminal, terminal

PATIENCE_S = 120.0
"""Far more than anything takes, even on a machine that does something else."""

GLANCE_S = 0.1
"""A screen that has been still for so long shows what a key did."""
GLANCES = 50
"""Of one that does not come to rest."""

KEYS = {
    "enter": "\r",
    "tab": "\t",
    "escape": "\x1b",
    "down": "\x1b[B",
    "ctrl+s": "\x13",
    "ctrl+t": "\x14",
}


class Person:
    """What the terminal shows is what a VT100 would show: `pyte` draws it."""

    def __init__(self, at: Terminal, size: tuple[int, int]) -> None:
        self.terminal = at
        self._screen = pyte.Screen(*size)
        at.on_text = pyte.Stream(self._screen).feed

    @property
    def screen(self) -> str:
        return "\n".join(self._screen.display)

    def sees(self, *texts: str) -> None:
        """Wait for each in turn; fails with the screen."""
        for text in texts:
            self._until(partial(self._shows, text), f"to see {text!r}")

    def sees_no_more(self, text: str) -> None:
        """Wait until it has gone. An escape is told from an alt key by the pause after it."""
        self._until(lambda: not self._shows(text), f"to see no {text!r}")

    def _shows(self, text: str) -> bool:
        return text in self.screen

    def _until(self, true: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            left = end - time.monotonic()
            assert left > 0, f"waited in vain {what}\n{self.screen}"
            self.terminal.read_on(min(left, 1.0))

    def presses(self, *keys: str) -> None:
        """Named keys, or text as it is; what each did is looked at before the next."""
        for key in keys:
            self.terminal.write(KEYS.get(key, key))
            for _ in range(GLANCES):
                if not self.terminal.read_on(GLANCE_S):
                    break


@contextmanager
def person_at(
    arguments: list[str], size: tuple[int, int], environment: Mapping[str, str]
) -> Iterator[Person]:
    """Runs `hmi ARGUMENTS...` in a terminal of `size` columns and rows, and ends it at the end."""
    kind = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with terminal(arguments, size, {**kind, **environment}) as at:
        yield Person(at, size)
