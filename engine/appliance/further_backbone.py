"""A backbone beside the engine's own, and how such come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from engine.appliance.serving_stack import ServingStack

Load = Callable[[str, Callable[[str], None]], ServingStack]
"""Loads the backbone with those weights; the other is called at each step and may end it."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How further backbones come and go: `most` are loaded at once, and one goes after `idle_s`.

    `open` lets a new one serve, while `changing` is held, and gives what is to be called before it
    is closed; one that is `kept`, for vPLMs of it are pinned, stays however long nobody asks.
    """

    most: int
    idle_s: float
    load: Load
    open: Callable[[ServingStack], Callable[[], None]]
    kept: Callable[[str], bool]
    name: Callable[[str], str]
    check: Callable[[str], object]
    """Raises what stands in the way if there is no such backbone at all."""
    changing: threading.RLock


@dataclass(slots=True, eq=False)
class Further:
    """One beside the engine's own: on its way until there is a `stack`."""

    sha256: str
    stack: ServingStack | None = None
    users: int = 0
    waiting: int = 0
    used_at: float = field(default_factory=time.monotonic)
    ended: Future[None] = field(default_factory=Future)
    """Loading has ended, one way or the other."""
    unwatch: Callable[[], None] = lambda: None

    def over(self) -> None:
        """Let those go on that wait; called with the lock held."""
        if not self.ended.done():
            self.ended.set_result(None)
