"""The run itself: next-token loss on windows of a text, and how well held-out text is foretold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from engine.errors import BadInput, Cancelled
from engine.training.pretrain.corpus import Ids, batches, held_apart
from engine.training.pretrain.decoder import DecoderShape, new_decoder, optimizers

HELD_OUT_TOKENS = 16_000
_WARMUP = 0.02
_MEASURED_S = 6.0


@dataclass(frozen=True, slots=True)
class PretrainPlan:
    """How to learn; how long is `tokens`, which a resumed run may be given anew."""

    shape: DecoderShape = field(default_factory=DecoderShape)
    lr: float = 4e-3
    batch_tokens: int = 2048
    dropout: float = 0.0
    cooldown: float = 0.4
    """Share of the tokens over which the rate falls to nothing. Before it the rate is constant,
    so a run can be made longer or shorter until then."""
    seed: int = 0

    @property
    def windows(self) -> int:
        """Of a batch."""
        return max(1, self.batch_tokens // self.shape.context)


@dataclass(frozen=True, slots=True)
class Foretold:
    """How well a text was foretold: nats in all, over so many tokens and bytes."""

    nats: float
    tokens: int
    bytes: int

    @property
    def perplexity(self) -> float:
        """Of a token."""
        return exp(self.nats / self.tokens)

    @property
    def bits_per_byte(self) -> float:
        return self.nats / log(2) / self.bytes


@dataclass(frozen=True, slots=True)
class PretrainProgress:
    """`loss` is the running mean in training, in nats a token; `left_s` is wall time."""

    step: int
    tokens: int
    budget: int
    loss: float
    held_out: float
    """Perplexity of a token."""
    rate: float
    """Tokens a second, lately."""

    @property
    def share(self) -> float:
        return min(1.0, self.tokens / self.budget)

    @property
    def left_s(self) -> float:
        return max(0, self.budget - self.tokens) / self.rate if self.rate else 0.0

    def line(self) -> str:
        left = f"{self.left_s / 60:.0f} min left" if self.share < 1 else "done"
        return (
            f"{self.share:4.0%}  step {self.step:,}  {self.tokens / 1e6:.2f} of "
            f"{self.budget / 1e6:.2f} M tokens  loss {self.loss:.3f}  held-out perplexity "
            f"{self.held_out:.1f}  {self.rate:,.0f} tokens/s  {left}"
        )


class Pretraining:
    """One run over `rows` (tokens of passages): `run` can be left and taken up in between."""

    def __init__(self, rows: Sequence[Ids], plan: PretrainPlan, dtype: torch.dtype) -> None:
        """`dtype` is what the layers compute in; weights are float32. BadInput if the text is too
        short."""
        self.plan, self.dtype = plan, dtype
        self._learnt, self._held_out = held_apart(rows)
        self.model: Any = new_decoder(plan.shape, plan.dropout, plan.seed)
        self.optimizers = optimizers(self.model, plan.lr)
        self.step = self.turn = self.place = self.tokens = 0
        """`turn` passes over the text are done, and `place` batches of the next."""
        self.loss = 0.0

    @property
    def batch(self) -> int:
        """Tokens of a step."""
        return self.plan.windows * self.plan.shape.context

    def run(
        self,
        budget: int,
        report: Callable[[PretrainProgress], None],
        cancelled: Callable[[], bool] = lambda: False,
        report_s: float = 60.0,
    ) -> None:
        """Learn until `budget` tokens are seen; `report` hears now and then. Raises Cancelled when
        told to stop (what was learnt stays) and BadInput if the loss explodes."""
        since, before = time.monotonic(), self.tokens
        for windows in self._batches():
            if self.tokens >= budget:
                break
            if cancelled():
                raise Cancelled(f"Pretraining was stopped after {self.tokens:,} tokens.")
            self._learn(windows, rate(self.tokens / budget, self.plan.cooldown))
            passed = time.monotonic() - since
            if passed >= report_s or self.tokens >= budget:
                report(self.progress(budget, (self.tokens - before) / passed))
                since, before = time.monotonic(), self.tokens

    def progress(self, budget: int, rate: float) -> PretrainProgress:
        """Where it stands; measures the held-out text."""
        held_out = foretell(self.model, self._held_out_rows(), 1).perplexity
        return PretrainProgress(self.step, self.tokens, budget, self.loss, held_out, rate)

    def speed(self) -> float:
        """Tokens a second of processor time on this machine; nothing is learnt by measuring."""
        windows = next(batches(self._learnt, self.plan.shape.context, self.plan.windows, 0, 0))
        self._gradients(windows)
        began, steps = time.process_time(), 0
        while (spent := time.process_time() - began) < _MEASURED_S:
            self._gradients(windows)
            steps += 1
        self.model.zero_grad(set_to_none=True)
        return steps * self.batch / spent

    def _batches(self) -> Iterator[Ids]:
        plan = self.plan
        while True:
            found = batches(self._learnt, plan.shape.context, plan.windows, plan.seed, self.turn)
            for place, windows in enumerate(found):
                if place >= self.place:
                    yield windows
                    self.place = place + 1
            self.turn, self.place = self.turn + 1, 0

    def _held_out_rows(self) -> list[Ids]:
        size = sum(len(row) for row in self._held_out)
        return self._held_out[: max(1, HELD_OUT_TOKENS * len(self._held_out) // size)]

    def _learn(self, windows: Ids, rate: float) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.lr * rate
        loss = self._gradients(windows)
        if not np.isfinite(loss):
            raise BadInput(
                f"The numbers are no longer finite at step {self.step}.",
                remedy=f"Train with a lower --lr than {self.plan.lr:g}.",
                code="loss_exploded",
            )
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.loss = loss if self.step == 0 else 0.98 * self.loss + 0.02 * loss
        self.step += 1
        self.tokens += self.batch

    def _gradients(self, windows: Ids) -> float:
        """Gradients of the mean loss over `windows` (B, context + 1), added up; the loss."""
        ids = torch.from_numpy(windows)
        self.model.train()
        # What is dropped depends on the step alone, so a resumed run goes on as if never left.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.plan.seed * 1_000_003 + self.step)
            with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
                logits = self.model(input_ids=ids[:, :-1]).logits
            loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())


def rate(share: float, cooldown: float) -> float:
    """Of the full learning rate: rises over the first 2 %, stays, falls in a line at the end.

    A constant rate with a cooldown ends as low as a cosine (Hägele et al. 2024), and the end need
    not be known at the start.
    """
    if share < _WARMUP:
        return max(share / _WARMUP, 0.05)
    return min(1.0, max(0.0, (1 - share) / cooldown))


@torch.no_grad()
def foretell(model: Any, rows: Sequence[Ids], size: int) -> Foretold:
    """How well `model` foretells passages of `size` bytes in all, END at the start of each.

    Long ones are read in windows that overlap by half, so that every token but a passage's first
    has at least half a context before it.
    """
    model.eval()
    context = model.config.n_positions
    nats, tokens = 0.0, 0
    for row in rows:
        done = 1
        while done < len(row):
            start = max(0, done - context // 2)
            ids = torch.from_numpy(row[start : start + context + 1])[None]
            logits = model(input_ids=ids[:, :-1]).logits[0, done - start - 1 :].float()
            targets = ids[0, done - start :]
            nats += float(F.cross_entropy(logits, targets, reduction="sum"))
            tokens += len(targets)
            done += len(targets)
    return Foretold(nats, tokens, size)
