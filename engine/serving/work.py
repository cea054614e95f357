"""What waits and what comes back: one text of one request, and the ticket that collects them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

from engine.knowledge.origins import Origin
from engine.knowledge.retrieve import MissPolicy
from engine.knowledge.retrieved import Lookups
from engine.memory.tiers import TierName
from engine.process import without_frames

Mode = Literal["plot", "exact"]
TaskName = Literal[
    "classify", "multilabel", "pair", "tokens", "regression", "embedding", "generate"
]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a request needs to know of its vPLM, as it was when the request was accepted."""

    id: str
    tenant: str
    domain: str
    adapter: str
    labels: tuple[str, ...]
    mode: Mode
    miss: MissPolicy | None = None
    """None: the engine's policy."""
    version: int = 1
    task: TaskName = "classify"
    backbone: str = ""
    """The sha256 of its weights."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One text's answer and what its batch went through. Times in seconds.

    `values` are what its task asks for: a probability for each label (of `tokens`: for each word,
    one word after the other), the numbers of a regression, or the embedding.
    """

    values: tuple[float, ...]
    tokens: int
    lookups: Lookups | None
    """Where its rows came from; None in exact mode."""
    queue_s: float
    retrieve_s: float
    load_s: float
    compute_s: float
    batch_size: int
    batch_models: int
    origins: tuple[Origin, ...] | None = None
    """Where each token's row came from, if that was asked for; None in exact mode."""
    fallback: str | None = None
    """Why it was answered in exact mode though it was to be in plot mode."""


class Ticket:
    """Collects the outcomes of one request's texts; `future` has them all, or the first error."""

    def __init__(self, size: int, tier: TierName) -> None:
        self.future: Future[list[Outcome]] = Future()
        self.tier: TierName = tier
        self._outcomes: list[Outcome | None] = [None] * size
        self._missing = size
        self._ending = threading.Lock()

    @property
    def given_up(self) -> bool:
        """The client is gone, or another text of the request has failed."""
        return self.future.done()

    def deliver(self, index: int, outcome: Outcome) -> None:
        """One text is answered; the last one ends the request."""
        with self._ending:
            self._outcomes[index] = outcome
            self._missing -= 1
            ready = self._missing == 0 and not self.future.done()
            if ready and self.future.set_running_or_notify_cancel():
                self.future.set_result([o for o in self._outcomes if o is not None])

    def fail(self, error: Exception) -> None:
        """End the request with `error`, unless it has ended already."""
        with self._ending:
            if not self.future.done() and self.future.set_running_or_notify_cancel():
                self.future.set_exception(without_frames(error))


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One text, or two as one: `ids` are its tokens, cut to what the backbone reads."""

    model: ServedModel
    mode: Mode
    ids: list[int]
    ticket: Ticket
    index: int
    accepted: float = field(default_factory=time.perf_counter)
    explain: bool = False
    """Whether the outcome is to say where each token's row came from."""
    fallback: str | None = None
    """Why `mode` is exact, if that is not what was asked for."""
    second: int = 0
    """Where in `ids` the second text begins; 0 if there is none."""
    words: tuple[int, ...] = ()
    """Where its words begin, if each is to be answered for."""
