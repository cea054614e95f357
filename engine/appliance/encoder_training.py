"""Training a node's n-gram encoder and bridge inside a job, with checkpoints that outlive it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.appliance.core import Core
from engine.appliance.stack import Stack
from engine.knowledge.distil import Distillation
from engine.knowledge.distil_checkpoint import Origin, resume, save_checkpoint
from engine.knowledge.distil_plan import DistilPlan, DistilProgress
from engine.knowledge.encoder_file import load_hplm, pack_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.tree import DomainTree
from engine.model.backbone import Backbone
from engine.model.decoder import load_teacher
from engine.schema import RebuildRequest
from engine.training.job import JobContext
from store.rows import DomainRow

CHECKPOINT_S = 60.0
_DIGITS = 16
FROM_THE_BACKBONE, FROM_A_TRAINED_ONE = 2e-3, 1e-3
"""Learning rates. What has been trained before would lose more than it gains from the first."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedEncoder:
    """`blob` is where it is stored."""

    hplm: Hplm
    blob: str
    result: dict[str, Any]


def train_encoder(
    core: Core,
    stack: Stack,
    row: DomainRow,
    request: RebuildRequest,
    context: JobContext,
    progress: Callable[[float, str], None],
) -> TrainedEncoder:
    """Train the node's encoder and bridge on its corpus; the upper layers stay.

    Goes on where an earlier run of the same corpus, start and plan stopped. Raises Cancelled
    and BadInput. However it ends it leaves a checkpoint, for the caller to remove once the encoder
    is in use.
    """
    backbone = load_teacher(stack.backbone)
    hplm, fresh = _pupil(stack.tree, backbone, row, request)
    lr = FROM_THE_BACKBONE if fresh else FROM_A_TRAINED_ONE
    plan = DistilPlan(minutes=request.train_minutes, lr=lr, seed=request.seed)
    plan = plan.suited_to(backbone)
    corpus = core.corpora.sha256(row.name)
    origin = Origin(corpus, hplm.encoder.fingerprint() + hplm.bridge.fingerprint(), plan)
    progress(0.0, "reading the corpus")
    run = Distillation(hplm, backbone, core.corpora.lines(row.name), plan)
    path = checkpoint_of(core, row.name, row.backbone)
    if resume(run, path, origin):
        progress(run.share, f"going on where it stopped, after {run.tokens:,} tokens")
    saved = time.perf_counter()

    def report(now: DistilProgress) -> None:
        nonlocal saved
        context.loss = [*context.loss, (now.step, round(now.loss, 5))]
        # One minus the error: the share of the hidden states' variance that is explained.
        context.accuracy = [*context.accuracy, (now.step, round(1 - now.error, 5))]
        progress(
            now.share,
            f"training the encoder: {now.tokens:,} tokens, held-out error {now.error:.3f} at "
            f"layer {backbone.split}, {now.error_top:.3f} at the top{_foretold(now)}",
        )
        if time.perf_counter() - saved > CHECKPOINT_S:
            saved = time.perf_counter()
            save_checkpoint(run, path, origin)

    def tick(share: float) -> None:
        progress(share, context.message)

    try:
        end = run.run(report, tick, context.cancelled)
    finally:
        save_checkpoint(run, path, origin)
    hplm.freeze()
    made = {
        "command": f"hmi domain rebuild {row.name} --train-minutes {request.train_minutes:g} "
        f"--train-from {request.train_from}",
        "corpus_sha256": corpus,
        "seed": str(request.seed),
        "tokens": str(end.tokens),
        "error": f"{end.error:.4f}",
        "error_top": f"{end.error_top:.4f}",
        "torch": str(torch.__version__),
    }
    if end.perplexity is not None:
        made |= {"perplexity": f"{end.perplexity:.3f}"}
        made |= {"exact_perplexity": f"{end.exact_perplexity:.3f}"}
    tensors, metadata = pack_hplm(hplm, made)
    arrays: dict[str, np.ndarray[Any, Any]] = {name: t.numpy() for name, t in tensors.items()}
    info = core.blobs.put(arrays, metadata)
    result = {
        "trained_tokens": end.tokens,
        "error": round(end.error, 4),
        "error_top": round(end.error_top, 4),
        "train_seconds": round(end.seconds, 1),
    }
    if end.perplexity is not None and end.exact_perplexity is not None:
        result["perplexity"] = round(end.perplexity, 3)
        result["exact_perplexity"] = round(end.exact_perplexity, 3)
    return TrainedEncoder(_served(core, stack.backbone, info.id), info.id, result)


def _foretold(now: DistilProgress) -> str:
    """A decoder's perplexity beside the exact one's."""
    if now.perplexity is None or now.exact_perplexity is None:
        return ""
    return f", perplexity {now.perplexity:.2f} (exact {now.exact_perplexity:.2f})"


def checkpoint_of(core: Core, domain: str, backbone: str) -> Path:
    """Where a domain's half-trained encoder for a backbone is, if there is one."""
    # A domain's name has no tilde.
    return core.settings.paths.training / f"{domain}~{backbone[:_DIGITS]}.safetensors"


def _served(core: Core, backbone: Backbone, blob: str) -> Hplm:
    """Read back what was stored: a row must be the same before and after a restart."""
    return load_hplm(core.blobs.path(blob), backbone).to(backbone.device)


def _pupil(
    tree: DomainTree, backbone: Backbone, row: DomainRow, request: RebuildRequest
) -> tuple[Hplm, bool]:
    """A copy to train: of what the node uses now, or from scratch; whether nobody trained it.

    From scratch is from the backbone for the root, or where there is no general encoder, and from
    the parent's for another node.
    """
    scratch = request.train_from == "scratch"
    damage = tree.take(row.name).damage
    nothing = damage is not None and damage.code == "no_encoder"
    if nothing or (scratch and row.parent is None):
        return Hplm.untrained(backbone), True
    start = tree.take(row.parent if scratch and row.parent is not None else row.name)
    pupil = Hplm.untrained(backbone, start.encoder.form.widths, start.bridge.widths)
    pupil.encoder.load(start.encoder.state_dict())
    pupil.bridge.load(start.bridge.state_dict())
    return pupil, False
