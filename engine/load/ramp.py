"""A rate that changes over a run: pieces, each at one rate or rising or falling evenly."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_PIECE = re.compile(rf"{_NUMBER}(?:\.\.{_NUMBER})?:{_NUMBER}")


@dataclass(frozen=True, slots=True)
class Piece:
    """`seconds` that begin at `first` requests a second and end at `last`."""

    first: float
    last: float
    seconds: float

    @property
    def requests(self) -> float:
        """Expected."""
        return 0.5 * (self.first + self.last) * self.seconds

    def at(self, requests: float) -> float:
        """Seconds into the piece by which `requests` are expected."""
        slope = (self.last - self.first) / self.seconds
        if abs(slope) * self.seconds < 1e-9 * max(self.first, self.last):
            return requests / self.first
        # first * t + slope * t^2 / 2 = requests, solved without subtracting what is nearly equal.
        root = math.sqrt(max(0.0, self.first**2 + 2 * slope * requests))
        return 2 * requests / (self.first + root)


def parse_ramp(text: str) -> tuple[Piece, ...]:
    """Pieces such as "50:30,50..400:60" (RATE:SECONDS, FROM..TO:SECONDS). ValueError."""
    pieces: list[Piece] = []
    for part in text.split(","):
        match = _PIECE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is not RATE:SECONDS or FROM..TO:SECONDS")
        first, seconds = float(match[1]), float(match[3])
        piece = Piece(first, float(match[2]) if match[2] else first, seconds)
        if piece.requests <= 0 or min(piece.first, piece.last) < 0:
            raise ValueError(f"{part!r} asks for nothing")
        pieces.append(piece)
    return tuple(pieces)


class Ramp:
    """Pieces one after the other, as a clock that counts expected requests."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = tuple(pieces)
        self._requests = [0.0, *accumulate(piece.requests for piece in pieces)]
        self._seconds = [0.0, *accumulate(piece.seconds for piece in pieces)]

    @property
    def seconds(self) -> float:
        return self._seconds[-1]

    def at(self, requests: float) -> float | None:
        """Seconds after the start by which `requests` are expected; None past the end."""
        if requests >= self._requests[-1]:
            return None
        index = bisect_right(self._requests, requests) - 1
        return self._seconds[index] + self._pieces[index].at(requests - self._requests[index])
