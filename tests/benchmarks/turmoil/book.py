"""What every vPLM was and when, and so which answers it may give."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.client import HmiError

clock = time.perf_counter
CERTAIN = 0.99
"""Probability that a known adapter gives its label."""


@dataclass(slots=True, eq=False)
class Known:
    """An adapter in the store that says label number `answer` to every text.

    From the instant `spoilt` its file is no longer whole, and whoever needs the file answers
    `error`.
    """

    id: str
    labels: int
    answer: int
    spoilt: float = math.inf
    error: str = ""


@dataclass(slots=True, eq=False)
class Life:
    """A vPLM from its creation to its removal; the same name may live again.

    Those that one call creates share a `number`, since they share their labels. The instants are
    those at which the call for a change began and at which it was acknowledged.
    """

    number: int
    model: str
    adapter: Known
    asked_for: float
    there: float = math.inf
    leaving: float = math.inf
    gone: float = math.inf

    @property
    def labels(self) -> list[str]:
        """No other life's, so that a label says whose it is."""
        return [f"{self.number}-{i}" for i in range(self.adapter.labels)]

    @property
    def answer(self) -> str:
        return self.labels[self.adapter.answer]

    def may_live(self, began: float, ended: float) -> bool:
        """Whether it may have been there at some moment between the two."""
        return self.asked_for <= ended and began <= self.gone

    def lives_throughout(self, began: float, ended: float) -> bool:
        return self.there <= began and ended <= self.leaving


class Book:
    """All lives; not thread-safe."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self._of: defaultdict[str, list[Life]] = defaultdict(list)

    def begin(self, models: Sequence[str], adapter: Known) -> list[Life]:
        """The one call that creates them is about to be made."""
        number, now = len(self.lives), clock()
        lives = [Life(number, model, adapter, now) for model in models]
        for life in lives:
            self.lives.append(life)
            self._of[life.model].append(life)
        return lives

    def current(self, model: str) -> Life | None:
        """The life of that name that is there and not being ended."""
        lives = self._of[model]
        now = clock()
        return lives[-1] if lives and lives[-1].lives_throughout(now, now) else None

    def alive(self) -> list[Life]:
        return [life for life in self.lives if self.current(life.model) is life]

    def users(self, adapter: Known) -> int:
        return sum(life.adapter is adapter and life.gone == math.inf for life in self.lives)

    def fault_of_answer(
        self, model: str, began: float, ended: float, label: str, certainty: float
    ) -> str | None:
        """What is wrong with an answer to a request that took from `began` to `ended`."""
        allowed = [life for life in self._of[model] if life.may_live(began, ended)]
        if label not in {life.answer for life in allowed}:
            known = ", ".join(life.answer for life in allowed) or "nothing, for it was not there"
            return f"{model} answered {label}; it could have answered {known}"
        if certainty < CERTAIN:
            return f"{model} answered {label} with probability {certainty:.3f}"
        return None

    def fault_of_error(self, model: str, began: float, ended: float, error: HmiError) -> str | None:
        """What is wrong with such a request's failure."""
        lives = self._of[model]
        absent = not any(life.lives_throughout(began, ended) for life in lives)
        if absent and error.code == "not_found" and "There is no vPLM" in error.detail:
            return None
        spoilt = {
            life.adapter.error
            for life in lives
            if life.may_live(began, ended) and life.adapter.spoilt <= ended
        }
        if error.code in spoilt:
            return None
        return f"{model} failed with {error.code}: {error.detail}"
