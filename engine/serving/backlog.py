"""How much will be served before a request is, by the tenants' shares, without asking each."""

from __future__ import annotations

from math import frexp

from engine.serving.line import Line


class Backlog:
    """Lines that have works waiting, gathered by how long they are for their weight.

    Lines are entered and withdrawn around every change of their tokens or weight.
    """

    def __init__(self) -> None:
        self.weight = 0.0
        """Of all lines."""
        self.lines = 0
        self._classes: dict[int, tuple[int, int, float]] = {}
        """Lines, tokens and weight by the power of two of tokens for each unit of weight."""

    def enter(self, line: Line) -> None:
        if line.texts:
            self._change(line, 1)

    def withdraw(self, line: Line) -> None:
        if line.texts:
            self._change(line, -1)

    def ahead(self, tokens: int, weight: float) -> float:
        """Tokens that these lines have served, at most, while another of `weight` has `tokens`."""
        share = tokens / weight
        return sum(min(waiting, share * each) for _, waiting, each in self._classes.values())

    def _change(self, line: Line, sign: int) -> None:
        which = frexp(line.tokens / line.weight)[1]
        lines, tokens, weight = self._classes.get(which, (0, 0, 0.0))
        if lines + sign:
            self._classes[which] = (
                lines + sign,
                tokens + sign * line.tokens,
                weight + sign * line.weight,
            )
        else:
            del self._classes[which]
        self.lines += sign
        self.weight = self.weight + sign * line.weight if self.lines else 0.0
