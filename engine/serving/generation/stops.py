"""Stop strings in a text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopSearch:
    """Lets text pass until the first stop string is complete; nothing of that one passes.

    The result does not depend on where the pieces were cut: of several stop strings the one that
    is complete first counts, and of those the longest. What may be the beginning of one is held
    back, no more and no longer.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Empty stop strings must have been refused."""
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that may be shown now; "" once it has stopped."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        begin = self._first(text)
        if begin is not None:
            self.stopped, self._held = True, ""
            return text[:begin]
        held = self._beginning(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """No more text will come: what was held back was no stop string."""
        held, self._held = self._held, ""
        return held

    def _first(self, text: str) -> int | None:
        """Where the stop string begins that is complete first."""
        places = ((text.find(stop), stop) for stop in self._stops)
        found = [(at + len(stop), at) for at, stop in places if at >= 0]
        return min(found)[1] if found else None

    def _beginning(self, text: str) -> int:
        """How many characters at the end of `text` may begin a stop string."""
        longest = min(len(text), max(map(len, self._stops)) - 1)
        for size in range(longest, 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0
