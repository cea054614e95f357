"""Distillation: teaching an n-gram encoder and the bridge what the backbone's lower layers say.

The upper layers are frozen. At first the loss is the normalised squared error at layer k alone,
which is cheap and teaches fastest; for the rest of the time the errors after every frozen upper
layer are added, so that what is left of the error lies where it matters least. A decoder, which
is there to say what comes next, is judged by that instead: its next-token loss is added. Some
n-grams lose slots at random, so that back-off to shorter n-grams degrades gently.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput, Cancelled
from engine.knowledge.distil_plan import DistilPlan, DistilProgress
from engine.knowledge.hplm import Hplm
from engine.knowledge.passages import groups, varied, vocabulary, windows
from engine.knowledge.perplexity import next_token_loss, perplexity_of
from engine.knowledge.teacher import Teacher
from engine.model.backbone import Backbone
from engine.model.decoder import Decoder
from engine.model.layers import run_layer
from engine.model.ngrams import shorten
from engine.model.packing import Packing

HELD_OUT_EVERY = 50
HELD_OUT_TOKENS = 8_000
SHORTEST_WINDOW = 16


class Distillation:
    """One run on one corpus: `run` trains, and can be stopped and taken up again in between.

    Needs a float32 backbone on the CPU. Raises BadInput if a corpus is too small to hold out any.
    """

    def __init__(
        self, hplm: Hplm, backbone: Backbone, lines: Iterable[str], plan: DistilPlan
    ) -> None:
        self.hplm, self.plan = hplm, plan
        self._backbone = backbone
        self._rows = windows(backbone, lines, min(plan.window, backbone.max_tokens))
        if backbone.shape.causal:
            self._rows = _enough(self._rows)
        self._lengths = [len(row) for row in self._rows]
        held_out = list(range(0, len(self._rows), HELD_OUT_EVERY))
        self._training = [i for i in range(len(self._rows)) if i % HELD_OUT_EVERY]
        if len(held_out) < 2:
            raise BadInput(
                f"The corpus has {len(self._rows)} "
                f"{'passages' if backbone.shape.causal else 'lines'}; training an encoder needs "
                f"at least {HELD_OUT_EVERY + 1}.",
                remedy="Give a longer corpus, or rebuild without --train-minutes.",
                code="corpus_too_small",
            )
        size = sum(self._lengths[i] for i in held_out)
        self._held_out = held_out[: max(2, HELD_OUT_TOKENS * len(held_out) // size)]
        self._teacher = Teacher(backbone, self._rows)
        self._vocabulary = vocabulary(backbone)
        learning = (hplm.encoder, hplm.bridge)
        for part in learning:
            part.train().requires_grad_(requires_grad=True)
        self.parameters = [p for part in learning for p in part.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=plan.lr, betas=(0.9, 0.98), weight_decay=0.01
        )
        self.step = self.tokens = 0
        self.seconds = 0.0
        self._running = 0.0
        self._exact: float | None = None

    @property
    def share(self) -> float:
        """How much of the plan is done."""
        by_time = self.seconds / 60 / self.plan.minutes
        by_tokens = 0.0 if self.plan.tokens is None else self.tokens / self.plan.tokens
        return min(1.0, max(by_time, by_tokens))

    def run(
        self,
        report: Callable[[DistilProgress], None],
        tick: Callable[[float], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> DistilProgress:
        """Train to the plan's end. `tick` hears the share done after each step, `report` now and
        then how well it goes. Raises Cancelled when told to stop; what was learnt stays."""
        reported = self.seconds
        while self.share < 1.0:
            rng = np.random.default_rng((self.plan.seed, self.step))
            for batch in groups(self._training, self._lengths, self.plan.batch_tokens, rng):
                if cancelled():
                    raise Cancelled(f"Training was cancelled after {self.tokens:,} tokens.")
                began = time.perf_counter()
                self._learn(batch, rng)
                self.seconds += time.perf_counter() - began
                tick(self.share)
                if self.share >= 1.0:
                    break
                if self.seconds - reported >= self.plan.report_s:
                    reported = self.seconds
                    report(self.progress())
        final = self.progress()
        report(final)
        return final

    def progress(self) -> DistilProgress:
        """Where it stands, held-out errors measured now."""
        low, top = self.held_out_errors()
        perplexity = exact = None
        if isinstance(self._backbone, Decoder):
            held_out = [self._rows[i] for i in self._held_out]
            perplexity = perplexity_of(self._backbone, held_out, self.hplm.states)
            self._exact = self._exact or perplexity_of(self._backbone, held_out)
            exact = self._exact
        return DistilProgress(
            self.step,
            self.tokens,
            self.share,
            self.seconds,
            self._running,
            low,
            top,
            perplexity,
            exact,
        )

    @torch.no_grad()
    def held_out_errors(self) -> tuple[float, float]:
        """Mean error at layer k and at the last layer over the held-out rows, no slots masked."""
        rng = np.random.default_rng(self.plan.seed)
        totals = np.zeros(2)
        weight = 0
        for batch in groups(self._held_out, self._lengths, self.plan.batch_tokens, rng):
            size = sum(self._lengths[i] for i in batch)
            errors = self._learnt(batch, 0.0, rng, {}, low=False).errors
            totals += np.array([errors[0].item(), errors[-1].item()]) * size
            weight += size
        return float(totals[0] / weight), float(totals[1] / weight)

    def _learn(self, batch: list[int], rng: np.random.Generator) -> None:
        plan = self.plan
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = plan.lr * _schedule(self.share, plan.warmup)
        instead = {
            i: varied(self._rows[i], self._vocabulary, rng)
            for i in batch
            if rng.random() < plan.varied
        }
        found = self._learnt(batch, plan.mask, rng, instead, low=self.share < plan.low)
        errors = found.errors
        loss = errors[0] + torch.stack(errors[1:]).mean() if errors[1:] else 2 * errors[0]
        if found.next_token is not None:
            loss = loss + plan.next_token * found.next_token
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.tokens += sum(len(instead.get(i, self._rows[i])) for i in batch)
        low = errors[0].item()
        self._running = low if self.step == 0 else 0.98 * self._running + 0.02 * low
        self.step += 1

    def _learnt(
        self,
        batch: list[int],
        mask: float,
        rng: np.random.Generator,
        instead: Mapping[int, list[int]],
        *,
        low: bool,
    ) -> _Learnt:
        """Errors at layer k and, unless `low`, after every upper layer, and a decoder's loss."""
        backbone, hplm = self._backbone, self.hplm
        passages = [instead.get(i, self._rows[i]) for i in batch]
        lengths = [len(row) for row in passages]
        ids = np.fromiter((t for row in passages for t in row), np.int64, sum(lengths))
        grams = hplm.encoder.grams(ids, np.array(lengths))
        if mask > 0:
            lost = rng.random(len(grams))
            grams[lost < mask] = shorten(grams[lost < mask])
            grams[lost < mask / 2] = shorten(grams[lost < mask / 2])
        distinct, which = np.unique(grams, axis=0, return_inverse=True)
        rows = hplm.encoder.rows(torch.from_numpy(distinct))
        packing = Packing.of(lengths)
        student = hplm.bridge(rows[torch.from_numpy(which.reshape(-1))], packing)
        teacher = self._teacher.states(batch, instead)
        errors = [_error(student, teacher)]
        for weights in backbone.layers[backbone.split :] if not low else ():
            with torch.no_grad():
                teacher = run_layer(weights, teacher, packing, backbone.shape)
            student = run_layer(weights, student, packing, backbone.shape)
            errors.append(_error(student, teacher))
        loss = None
        if isinstance(backbone, Decoder) and not low:
            losses = next_token_loss(backbone, student, torch.from_numpy(ids), packing)
            # Nobody can foretell the tokens of a passage that was changed.
            as_it_is = torch.tensor([i not in instead for i in batch])
            own = losses[torch.repeat_interleave(as_it_is, packing.lengths - 1)]
            loss = own.mean() if len(own) else None
        return _Learnt(errors, loss)


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    """`errors` at layer k and above, and the loss of the tokens that were to come; None where
    no passage is as it was written, or nobody asks."""

    errors: list[Tensor]
    next_token: Tensor | None


def _enough(rows: list[list[int]]) -> list[list[int]]:
    """Running text in shorter passages, where there are too few to hold out any."""
    while len(rows) <= HELD_OUT_EVERY and max(map(len, rows), default=0) >= 2 * SHORTEST_WINDOW:
        half = (max(map(len, rows)) + 1) // 2
        cut = [row[at : at + half] for row in rows for at in range(0, len(row), half)]
        rows = [row for row in cut if len(row) > 1]
    return rows


def _error(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared error over the teacher's variance across tokens: 0 perfect, 1 says nothing."""
    return (student - teacher).square().sum() / (teacher - teacher.mean(0)).square().sum()


def _schedule(share: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to a fiftieth."""
    if share < warmup:
        return max(share / warmup, 0.02)
    turn = (share - warmup) / (1 - warmup)
    return 0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * turn)))
