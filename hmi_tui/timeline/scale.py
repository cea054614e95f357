"""Where the marks of a time axis go."""

from __future__ import annotations

from math import floor, log10


def round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20... of any unit."""
    unit: float = 10 ** floor(log10(least))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least * 0.999)
