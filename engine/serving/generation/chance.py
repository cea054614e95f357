"""Numbers for draws that depend on a seed and a place alone, never on what else is drawn.

SplitMix64 (Steele, Lea and Flood 2014), entered at any place of its sequence at once: whoever
shares a batch with a sequence, or whether it was put off and taken up, changes none of its draws.
"""

from __future__ import annotations

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def uniform(seed: int, place: int) -> float:
    """A number in [0, 1) of 53 bits, the `place`-th of the sequence that `seed` names."""
    return (_mixed(_mixed(seed) + place * _GOLDEN) >> 11) / (1 << 53)


def seed_of(seed: int, index: int) -> int:
    """The seed of the `index`-th of several texts asked for with one `seed`; its own for the
    first."""
    return seed if index == 0 else _mixed(_mixed(seed) ^ (index * _GOLDEN)) >> 1


def _mixed(value: int) -> int:
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
