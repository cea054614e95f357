"""How hot a slot of the device is: degrees, signs and words."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from engine.schema import SlotMap

SIGNS = "·○░▒▓█"
"""Free, never asked for, and four degrees from cold to hot."""
DEGREES = len(SIGNS) - 2
OCTAVES = 2.0
"""A degree less is a quarter of the heat."""


def degrees(heat: Sequence[float | None]) -> list[int]:
    """0 of a free slot, 1 if nobody asked for what is in it, else by its share of the top heat."""
    top = max((each for each in heat if each), default=1.0)
    return [0 if each is None else _degree(each, top) for each in heat]


def _degree(heat: float, top: float) -> int:
    if heat <= 0:
        return 1
    below = int(log2(top / heat) / OCTAVES)
    return 1 + max(1, DEGREES - below)


def hottest(heat: Sequence[float | None]) -> int:
    """The index of the hottest; the first of them, and a free one only if all are."""
    return max(range(len(heat)), key=lambda at: (heat[at] is not None, heat[at] or 0.0))


def heat_said(heat: float | None) -> str:
    """`heat` in a few words; it counts what batches asked for lately."""
    if heat is None:
        return "free"
    return f"heat {heat:.3g}" if heat > 0 else "unused"


def said_of(slots: SlotMap, number: int) -> str:
    """What the map knows of one slot, in a line."""
    parts = [f"slot {number}", heat_said(slots.heat[number - slots.first])]
    if number in slots.pinned:
        parts.append("pinned")
    if number in slots.held:
        parts.append("in a batch")
    return " · ".join(parts) + " · <choose:enter> says whose"
