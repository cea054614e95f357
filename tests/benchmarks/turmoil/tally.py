"""What was done, what came of it, and what should not have."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

_KEPT = 100


@dataclass(slots=True)
class Tally:
    """`faults` are the first of them; `wrong` counts answers among them that were not allowed."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of every act, by its kind."""
    answers: int = 0
    cancelled: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Of requests, by code."""
    wrong: int = 0
    faults: list[str] = field(default_factory=list)
    more_faults: int = 0

    def fault(self, what: str) -> None:
        if len(self.faults) < _KEPT:
            self.faults.append(what)
        else:
            self.more_faults += 1

    def line(self) -> str:
        errors = ", ".join(f"{n} {code}" for code, n in sorted(self.errors.items())) or "no errors"
        acts = sum(map(len, self.seconds.values()))
        return (
            f"{acts:,} acts, {self.answers:,} answers, {self.wrong} wrong; {errors}; "
            f"{self.cancelled} cancelled; {len(self.faults) + self.more_faults} faults"
        )
