"""How an n-gram encoder and its bridge are taught, and how far that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.model.backbone import Backbone

LONGEST_WINDOW = 1024
"""Attention over a longer one would cost more than it teaches."""


@dataclass(frozen=True, slots=True)
class DistilPlan:
    """How long and how to train; it ends after `minutes` of work, or `tokens` if they are fewer."""

    minutes: float = 10.0
    tokens: int | None = None
    lr: float = 2e-3
    warmup: float = 0.03
    low: float = 0.8
    """Share of the time in which layer k alone is looked at."""
    batch_tokens: int = 512
    window: int = 128
    mask: float = 0.1
    """Share of the n-grams that lose one or two slots."""
    next_token: float = 1.0
    """What a decoder's next-token loss, in nats, counts beside the errors."""
    varied: float = 0.3
    """Share of the passages that are changed: other domains have shorter texts and other words."""
    seed: int = 0
    report_s: float = 20.0

    def suited_to(self, backbone: Backbone) -> DistilPlan:
        """The same for such a backbone.

        One text of a decoder uses every position that it has, so the bridge must have learnt them
        all; and what it is judged by, the next token, is looked at for half of the time.
        """
        if not backbone.shape.causal:
            return self
        return replace(self, window=min(backbone.max_tokens, LONGEST_WINDOW), low=0.5)


@dataclass(frozen=True, slots=True)
class DistilProgress:
    """`loss` is the running error at layer k in training, `error` the held-out one."""

    step: int
    tokens: int
    share: float
    seconds: float
    loss: float
    error: float
    error_top: float
    """The held-out error at the last layer, through the frozen upper layers."""
    perplexity: float | None = None
    """Of the held-out text, a decoder's."""
    exact_perplexity: float | None = None
    """The same by the exact lower layers."""
