"""The next token of every sequence of a batch, each drawn by its own settings.

What a sequence gets is a function of its logits, its settings and what it said before: rows never
mix, and no order in which tokens with equal logits happen to be sorted matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.serving.generation.chance import uniform
from engine.serving.generation.settings import SamplingSettings

_COLDEST = 1e-30
"""As good as greedy, and still a number in float32."""
_RANKED = 256
"""Tokens of a row that are put in order at first."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """One sequence as sampling sees it: the next token is the `len(said)`-th it generates."""

    settings: SamplingSettings
    prompt: Sequence[int] = ()
    said: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token; log probabilities are the model's own, before penalties and temperature."""

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()
    """(token, log probability) of the likeliest, the likeliest first."""


def draw(logits: Tensor, drawings: Sequence[Drawing]) -> list[Drawn]:
    """A token a row of `logits` (B, V) float32, which stay as they are.

    A row needs one finite logit at least and no NaN; see `unusable`.
    """
    changed = adjusted(logits, drawings)
    tokens = changed.argmax(-1).tolist()
    drawing = [row for row, one in enumerate(drawings) if not one.settings.greedy]
    if drawing:
        some = [drawings[row] for row in drawing]
        totals = probabilities(changed[drawing], some).cumsum(-1, dtype=torch.float64)
        chances = [uniform(one.settings.seed, len(one.said)) for one in some]
        wanted = torch.tensor(chances, dtype=torch.float64, device=logits.device)[:, None]
        found = torch.searchsorted(totals, wanted * totals[:, -1:], right=True)[:, 0]
        # A product may round up to the whole; then it is the last token that can be drawn.
        last = (totals < totals[:, -1:]).sum(-1)
        for row, token in zip(drawing, torch.minimum(found, last).tolist(), strict=True):
            tokens[row] = token
    return _reported(logits, drawings, tokens)


def unusable(logits: Tensor) -> list[int]:
    """The rows of (B, V) that nothing can be drawn from: a NaN, or no finite logit."""
    bad = logits.isnan().any(-1) | ~logits.isfinite().any(-1) | (logits == torch.inf).any(-1)
    return [int(row) for row in bad.nonzero()[:, 0].tolist()]


def adjusted(logits: Tensor, drawings: Sequence[Drawing]) -> Tensor:
    """Logits (B, V) with each row's bias, then its penalties; the same tensor if none has any."""
    biased = [(r, t, g) for r, one in enumerate(drawings) for t, g in one.settings.bias]
    remembering = [row for row, one in enumerate(drawings) if one.settings.remembers]
    if not biased and not remembering:
        return logits
    logits = logits.clone()
    if biased:
        rows, tokens, gains = zip(*biased, strict=True)
        place = (torch.tensor(rows), torch.tensor(tokens))
        change = torch.tensor(gains, dtype=logits.dtype, device=logits.device)
        logits.index_put_(place, change, accumulate=True)
    for row in remembering:
        _penalise(logits[row], drawings[row])
    return logits


def probabilities(logits: Tensor, drawings: Sequence[Drawing]) -> Tensor:
    """What is drawn from, (B, V): temperature, then top_k, top_p and min_p, each on what the
    former left."""
    heat = [max(one.settings.temperature, _COLDEST) for one in drawings]
    peak = logits.amax(-1, keepdim=True)
    # Less the peak first: the lowest temperature then leaves the likeliest, and no infinity.
    scaled = (logits - peak) / torch.tensor(heat, device=logits.device)[:, None]
    filtering = [row for row, one in enumerate(drawings) if one.settings.filters]
    if filtering:
        some = [drawings[row].settings for row in filtering]
        kept = scaled[filtering]
        least = _least_kept(kept, some)
        scaled[filtering] = kept.masked_fill(kept < least, -torch.inf)
    return scaled.softmax(-1)


def _least_kept(scaled: Tensor, settings: Sequence[SamplingSettings]) -> Tensor:
    """The lowest of each row's scaled logits (peak 0) that its settings let pass, (R, 1)."""
    device, size = scaled.device, scaled.shape[-1]
    least = torch.tensor([[s.min_p] for s in settings], device=device).log()
    rows = [row for row, s in enumerate(settings) if s.top_k > 0 or s.top_p < 1.0]
    # A few of the likeliest nearly always tell; sorting all costs several times as much.
    for width in (min(_RANKED, size), size):
        if not rows:
            break
        some = scaled[rows]
        ranked = some.topk(width).values
        found, sure = _cut(ranked, some.exp().sum(-1, keepdim=True), [settings[r] for r in rows])
        sure |= width == size
        least[rows] = torch.where(sure[:, None], torch.maximum(least[rows], found), least[rows])
        # Never by what others need: a row is cut the same way whoever is beside it.
        rows = [row for row, known in zip(rows, sure.tolist(), strict=True) if not known]
    return least


def _cut(
    ranked: Tensor, whole: Tensor, settings: Sequence[SamplingSettings]
) -> tuple[Tensor, Tensor]:
    """Where top_k and top_p cut rows whose likeliest are `ranked` (R, W), and whose weights sum
    up to `whole` (R, 1): the least kept (R, 1), and whether W were enough to say (R,)."""
    device, width = ranked.device, ranked.shape[-1]
    ks = torch.tensor([[s.top_k] for s in settings], device=device)
    limited = ks > 0
    kth = ranked.gather(-1, ks.clamp(1, width) - 1).where(limited, -torch.inf)
    weights = ranked.exp().where(ranked >= kth, 0.0)
    before = weights.cumsum(-1, dtype=torch.float64) - weights
    total = weights.sum(-1, keepdim=True).where(limited, whole)
    shares = torch.tensor([[s.top_p] for s in settings], dtype=torch.float64, device=device)
    inside = (before < shares * total) & (ranked >= kth)
    last = inside.sum(-1, keepdim=True).clamp(min=1) - 1
    # A share of 1 keeps even what is too unlikely to change the sum.
    least = torch.where(shares < 1.0, ranked.gather(-1, last), kth)
    end = ranked[:, -1:]
    sure = torch.where(limited, (ks < width) & (end < kth), (shares >= 1.0) | (last + 1 < width))
    return torch.maximum(least, kth), sure[:, 0]


def _penalise(logits: Tensor, drawing: Drawing) -> None:
    """Change one row (V,) in place."""
    settings = drawing.settings
    said, times = np.unique(np.asarray(drawing.said, dtype=np.int64), return_counts=True)
    if settings.repetition != 1.0:
        before = np.union1d(said, np.asarray(drawing.prompt, dtype=np.int64))
        seen = torch.from_numpy(before).to(logits.device)
        had = logits[seen]
        weaker = torch.where(had > 0, had / settings.repetition, had * settings.repetition)
        logits[seen] = weaker
    if len(said):
        less = settings.frequency * torch.from_numpy(times) + settings.presence
        tokens = torch.from_numpy(said).to(logits.device)
        logits[tokens] -= less.to(logits)


def _reported(logits: Tensor, drawings: Sequence[Drawing], tokens: list[int]) -> list[Drawn]:
    found = [Drawn(token) for token in tokens]
    for row, one in enumerate(drawings):
        if one.settings.logprobs is None:
            continue
        said = logits[row].float().log_softmax(-1)
        # Stable: of equally likely tokens the lower id comes first.
        best = said.sort(descending=True, stable=True)
        count = one.settings.logprobs
        top = zip(best.indices[:count].tolist(), best.values[:count].tolist(), strict=True)
        found[row] = Drawn(tokens[row], float(said[tokens[row]]), tuple(top))
    return found
