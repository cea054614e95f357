"""How one sequence's tokens are drawn, checked once so that nothing later needs to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.errors import BadInput

MAX_LOGPROBS = 20
MAX_BIAS = 100.0
MAX_BIASED = 1024
MAX_TEMPERATURE = 2.0
MIN_REPETITION, MAX_REPETITION = 0.01, 10.0
MAX_PENALTY = 2.0


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """The defaults change nothing: a draw from the model's own distribution.

    Raises BadInput, naming the value and its range, for anything out of it.
    """

    seed: int
    """With a token's place it decides the draw; any integer."""
    temperature: float = 1.0
    """0: always the likeliest token (greedy)."""
    top_k: int = 0
    """Only the k likeliest tokens, and any as likely as the last of them; 0: all."""
    top_p: float = 1.0
    """Of those, the likeliest that together have at least this share."""
    min_p: float = 0.0
    """Of those, the ones at least this share as likely as the likeliest."""
    repetition: float = 1.0
    """Divides positive logits of tokens in the prompt or the text so far, multiplies negative."""
    frequency: float = 0.0
    """Taken from a token's logit for each time that it was generated."""
    presence: float = 0.0
    """Taken from it once if it was generated at all."""
    bias: tuple[tuple[int, float], ...] = ()
    """(token, what its logit gains)."""
    logprobs: int | None = None
    """Report the chosen token's log probability, and those of so many of the likeliest."""

    def __post_init__(self) -> None:
        _within("temperature", self.temperature, 0.0, MAX_TEMPERATURE)
        _within("top_k", self.top_k, 0, None)
        _within("top_p", self.top_p, 0.0, 1.0, above=True)
        _within("min_p", self.min_p, 0.0, 1.0)
        _within("repetition_penalty", self.repetition, MIN_REPETITION, MAX_REPETITION)
        _within("frequency_penalty", self.frequency, -MAX_PENALTY, MAX_PENALTY)
        _within("presence_penalty", self.presence, -MAX_PENALTY, MAX_PENALTY)
        if self.logprobs is not None:
            _within("logprobs", self.logprobs, 0, MAX_LOGPROBS)
        _within("the number of tokens in logit_bias", len(self.bias), 0, MAX_BIASED)
        for token, gain in self.bias:
            _within("a token in logit_bias", token, 0, None)
            _within(f"logit_bias of token {token}", gain, -MAX_BIAS, MAX_BIAS)

    @property
    def greedy(self) -> bool:
        return self.temperature == 0.0

    @property
    def filters(self) -> bool:
        """Whether some tokens may be left out."""
        return self.top_k > 0 or self.top_p < 1.0 or self.min_p > 0.0

    @property
    def remembers(self) -> bool:
        """Whether what was said before matters."""
        return self.repetition != 1.0 or self.frequency != 0.0 or self.presence != 0.0

    def check_vocabulary(self, size: int) -> None:
        """BadInput if a biased token is none of the `size` that the model has."""
        for token, _ in self.bias:
            if token >= size:
                raise BadInput(
                    f"logit_bias names token {token}; this model has tokens 0 to {size - 1}.",
                    remedy="Name tokens of this model's own vocabulary.",
                    code="unknown_token",
                )


def _within(
    name: str, value: float, least: float, most: float | None, *, above: bool = False
) -> None:
    low = value > least if above else value >= least
    if math.isfinite(value) and low and (most is None or value <= most):
        return
    lower = f"above {least:g}" if above else f"at least {least:g}"
    upper = "" if most is None else f" and at most {most:g}"
    raise BadInput(
        f"{name} is {value}; it must be {lower}{upper}.",
        remedy="Choose a value in that range, or leave it out.",
        code="out_of_range",
    )
