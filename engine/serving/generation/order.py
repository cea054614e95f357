"""What is asked of the generator, one continuation at a time, and what comes back of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.knowledge.origins import Origin
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.retrieved import Lookups
from engine.serving.generation.continuation import Ending, Piece
from engine.serving.generation.sampling import Drawn
from engine.serving.generation.settings import SamplingSettings


@dataclass(frozen=True, slots=True)
class Way:
    """How the lower layers are come by: `knowledge`, or None for exact mode and, if plot mode was
    asked for, why not."""

    knowledge: Knowledge | None
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What a whole continuation took."""

    way: Way
    lookups: Lookups | None
    """None in exact mode."""
    queue_s: float
    first_token_s: float
    total_s: float
    """Seconds since it was accepted, as the two before."""
    load_s: float
    """Until its adapter's slot was its own; part of the wait for the first token."""
    retrieve_s: float
    compute_s: float
    """Of all its rounds together, as the one before."""
    batch_size: int
    batch_models: int
    """Texts, and distinct vPLMs, in the fullest of its rounds."""


Read = tuple[int, Origin]
"""A token that was looked up, and where its row came from."""


@dataclass(frozen=True, slots=True)
class Said:
    """One token more; `ended` comes with the last. `read` are the tokens that were looked up for
    it, the prompt's before the first, if the order asks to explain; the last one said is not."""

    drawn: Drawn
    piece: Piece
    ended: Ended | None = None
    read: tuple[Read, ...] = ()


class Listener(Protocol):
    """Called in the generator's thread, which waits meanwhile; after an `ended` or a failure never
    again."""

    def said(self, order: Order, said: Said) -> None: ...

    def failed(self, order: Order, error: Exception) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """One continuation of one prompt. `way` is asked once, when it is let in; it may raise."""

    tenant: str
    prompt: tuple[int, ...]
    settings: SamplingSettings
    ending: Ending
    listener: Listener
    way: Callable[[], Way]
    adapter: str | None = None
    """None: the decoder as it is."""
    explain: bool = False
    """Whether to tell where rows came from."""
    accepted: float = field(default_factory=time.perf_counter)
    _given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def tokens(self) -> int:
        """The most that it may take in the cache."""
        return len(self.prompt) + self.ending.most

    @property
    def given_up(self) -> bool:
        """Whether nobody listens any more."""
        return self._given_up.is_set()

    def give_up(self) -> None:
        self._given_up.set()
