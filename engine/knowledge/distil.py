"""Distillation: teaching an n-gram encoder what the backbone's own lower layers say.

The upper layers are frozen; only the encoder learns. The loss is the normalised squared error at
layer k and, through the frozen upper layers, at every layer above it. Some n-grams lose slots at
random, so that back-off to shorter n-grams degrades gently.

    python -m engine.knowledge.distil CORPUS --minutes 60 --out FILE
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput, Cancelled
from engine.model.backbone import Backbone
from engine.model.layers import run_layer
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import shorten, trigrams
from engine.model.packing import Packing

HELD_OUT_EVERY = 50
HELD_OUT_TOKENS = 8_000


@dataclass(frozen=True, slots=True)
class DistilPlan:
    """How long and how to train. It ends at `tokens` or `minutes`, whichever comes first."""

    tokens: int = 2_000_000
    minutes: float = 60.0
    lr: float = 4e-4
    warmup: float = 0.03
    batch_tokens: int = 1024
    window: int = 128
    mask: float = 0.1
    """Share of the n-grams that lose one or two slots."""
    seed: int = 0
    report_every: int = 50


@dataclass(frozen=True, slots=True)
class DistilProgress:
    """`loss` is the running training loss, `error` the held-out error at layer k."""

    step: int
    tokens: int
    share: float
    seconds: float
    loss: float
    error: float
    error_top: float
    """The same at the last layer, through the frozen upper layers."""


@dataclass(frozen=True, slots=True)
class _Batch:
    ids: Tensor
    packing: Packing
    grams: Tensor
    which: Tensor


def windows(backbone: Backbone, lines: Iterable[str], length: int) -> list[list[int]]:
    """Token rows of at most `length`, long lines cut into several (each with its own edges)."""
    rows: list[list[int]] = []
    block: list[str] = []

    def flush() -> None:
        for ids in backbone.tokenize(block):
            first, last, body = ids[0], ids[-1], ids[1:-1]
            starts = range(0, len(body), length - 2)
            rows.extend([first, *body[at : at + length - 2], last] for at in starts)
        block.clear()

    for line in lines:
        block.append(line)
        if len(block) == 512:
            flush()
    flush()
    return rows


def _batches(
    rows: list[list[int]], plan: DistilPlan, rng: np.random.Generator
) -> Iterator[list[list[int]]]:
    """One pass over the rows, neighbours in length together, batches in random order."""
    order = rng.permutation(len(rows))
    pool = 2048
    for start in range(0, len(order), pool):
        part = sorted((rows[i] for i in order[start : start + pool]), key=len)
        groups: list[list[list[int]]] = [[]]
        size = 0
        for row in part:
            if size + len(row) > plan.batch_tokens and groups[-1]:
                groups.append([])
                size = 0
            groups[-1].append(row)
            size += len(row)
        for index in rng.permutation(len(groups)):
            yield groups[index]


def _prepare(
    group: list[list[int]], encoder: NgramEncoder, mask: float, rng: np.random.Generator
) -> _Batch:
    lengths = [len(row) for row in group]
    ids = np.fromiter((t for row in group for t in row), dtype=np.int64, count=sum(lengths))
    grams = trigrams(ids, np.array(lengths), encoder.boundary)
    if mask > 0:
        lost = rng.random(len(grams))
        grams[lost < mask] = shorten(grams[lost < mask])
        grams[lost < mask / 2] = shorten(grams[lost < mask / 2])
    distinct, which = np.unique(grams, axis=0, return_inverse=True)
    return _Batch(
        torch.from_numpy(ids),
        Packing.of(lengths),
        torch.from_numpy(distinct),
        torch.from_numpy(which.reshape(-1)),
    )


def _error(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared error over the teacher's variance across tokens: 0 perfect, 1 says nothing."""
    return (student - teacher).square().sum() / (teacher - teacher.mean(0)).square().sum()


def _errors(encoder: NgramEncoder, backbone: Backbone, batch: _Batch) -> list[Tensor]:
    """Errors at layer k and after every upper layer; gradients reach the encoder alone."""
    packing, shape = batch.packing, backbone.shape
    with torch.no_grad():
        teacher = backbone.lower(batch.ids, packing)
    student = encoder.assemble(encoder.rows(batch.grams), batch.which, packing)
    errors = [_error(student, teacher)]
    for layer in range(backbone.split, shape.layers):
        with torch.no_grad():
            teacher = run_layer(backbone.layers[layer], teacher, packing, shape)
        student = run_layer(backbone.layers[layer], student, packing, shape)
        errors.append(_error(student, teacher))
    return errors


@torch.no_grad()
def held_out_errors(
    encoder: NgramEncoder, backbone: Backbone, rows: list[list[int]], plan: DistilPlan
) -> tuple[float, float]:
    """Mean error at layer k and at the last layer over `rows`, no slots masked."""
    rng = np.random.default_rng(plan.seed)
    totals = np.zeros(2)
    weight = 0
    for group in _batches(rows, plan, rng):
        batch = _prepare(group, encoder, 0.0, rng)
        errors = _errors(encoder, backbone, batch)
        totals += np.array([errors[0].item(), errors[-1].item()]) * batch.packing.total
        weight += batch.packing.total
    return float(totals[0] / weight), float(totals[1] / weight)


def distil(
    encoder: NgramEncoder,
    backbone: Backbone,
    lines: Iterable[str],
    plan: DistilPlan,
    report: Callable[[DistilProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DistilProgress:
    """Train `encoder` in place on the corpus `lines`; needs a float32 backbone on the CPU.

    Raises BadInput for a corpus too small to hold anything out, Cancelled when told to stop.
    """
    rows = windows(backbone, lines, min(plan.window, backbone.max_tokens))
    held_out = [row for i, row in enumerate(rows) if i % HELD_OUT_EVERY == 0]
    training = [row for i, row in enumerate(rows) if i % HELD_OUT_EVERY != 0]
    if len(held_out) < 2 or not training:
        raise BadInput(
            f"The corpus has {len(rows)} lines; distillation needs at least {HELD_OUT_EVERY + 1}.",
            remedy="Give a longer corpus.",
        )
    held_out = held_out[: max(2, HELD_OUT_TOKENS * len(held_out) // sum(map(len, held_out)))]
    rng = np.random.default_rng(plan.seed)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=plan.lr, betas=(0.9, 0.98))
    began, step, tokens, running = time.perf_counter(), 0, 0, 0.0
    share = 0.0

    def state() -> DistilProgress:
        low, top = held_out_errors(encoder, backbone, held_out, plan)
        return DistilProgress(step, tokens, share, time.perf_counter() - began, running, low, top)

    while share < 1.0:
        for group in _batches(training, plan, rng):
            if cancelled():
                raise Cancelled(f"Distillation was cancelled after {tokens} tokens.")
            for parameters in optimizer.param_groups:
                parameters["lr"] = plan.lr * _schedule(share, plan.warmup)
            batch = _prepare(group, encoder, plan.mask, rng)
            errors = _errors(encoder, backbone, batch)
            loss = errors[0] + torch.stack(errors[1:]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            step += 1
            tokens += batch.packing.total
            running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
            elapsed = (time.perf_counter() - began) / 60
            share = min(1.0, max(tokens / plan.tokens, elapsed / plan.minutes))
            if step % plan.report_every == 0:
                report(state())
            if share >= 1.0:
                break
    final = state()
    report(final)
    return final


def _schedule(share: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    if share < warmup:
        return max(share / warmup, 0.02)
    turn = (share - warmup) / (1 - warmup)
    return 0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * turn)))


if __name__ == "__main__":
    from engine.knowledge.distil_command import main

    main()
