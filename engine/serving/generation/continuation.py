"""One sequence's text as its tokens are drawn, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import BadInput
from engine.serving.generation.detokenize import Detokenizer, TokenBytes
from engine.serving.generation.stops import StopSearch

FinishReason = Literal["stop", "length"]
"""At the end of the text or a stop string; at `max_tokens` or where the context is full."""
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Ending:
    """When a sequence ends. Raises BadInput for what could never be met.

    `room` is how many tokens the context has left behind the prompt.
    """

    max_tokens: int
    room: int
    stops: tuple[str, ...] = ()
    end: int | None = None
    """The token that ends a text; None: none does."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise BadInput(
                f"max_tokens is {self.max_tokens}; it must be at least 1.",
                remedy="Ask for one token or more.",
                code="out_of_range",
            )
        check_stops(self.stops)

    @property
    def most(self) -> int:
        """Tokens it can get at most."""
        return min(self.max_tokens, self.room)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one token brought: text that may be shown now, and whether it was the last."""

    text: str
    finish: FinishReason | None = None


class Continuation:
    """Grows by `push`, once a token; its pieces joined are the text, whatever was cut where."""

    def __init__(self, ending: Ending, tokens: TokenBytes) -> None:
        self.said: list[int] = []
        """Every token so far, the ending one included."""
        self.finish: FinishReason | None = None
        self._ending = ending
        self._detokenizer = Detokenizer(tokens)
        self._search = StopSearch(ending.stops)

    def push(self, token: int) -> Piece:
        """Take the next token. Not to be called after the piece that says `finish`."""
        if self.finish is not None:
            raise RuntimeError("the sequence has ended")
        self.said.append(token)
        if token == self._ending.end:
            return self._finished("", "stop")
        text = self._search.push(self._detokenizer.push(token))
        if self._search.stopped:
            self.finish = "stop"
            return Piece(text, "stop")
        if len(self.said) >= self._ending.most:
            return self._finished(text, "length")
        return Piece(text)

    def _finished(self, text: str, finish: FinishReason) -> Piece:
        """The last piece: also a character cut short, which may even complete a stop string."""
        text += self._search.push(self._detokenizer.finish())
        self.finish = "stop" if self._search.stopped else finish
        return Piece(text + self._search.finish(), self.finish)


def check_stops(stops: Sequence[str]) -> None:
    """BadInput for stop strings that are empty, too long or too many."""
    if len(stops) > MAX_STOPS:
        wrong = f"There are {len(stops)} stop strings; at most {MAX_STOPS} are looked for."
    elif not all(stops):
        wrong = "A stop string is empty; it would stop every text before it began."
    elif any(len(stop) > MAX_STOP_CHARACTERS for stop in stops):
        size = max(map(len, stops))
        wrong = f"A stop string has {size:,} characters; at most {MAX_STOP_CHARACTERS} are held."
    else:
        return
    raise BadInput(wrong, remedy="Correct the stop strings (stop).", code="bad_stop")
