"""The stack of a backbone that reads texts whole: with a queue and a pipeline of its own.

The engine's own has what the operator gave: the caches, and all teams of threads. One beside it has
a share of each cache on top, and one team more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from engine.appliance.recovery import claim_unnamed
from engine.appliance.stack import Shelves, Stack
from engine.config import Settings
from engine.knowledge.retrieve import MissPolicy
from engine.memory.counters import Move
from engine.model.backbone import load_backbone, pick_dtype
from engine.serving.draft import BatchLimits
from engine.serving.pipeline import Pipeline
from engine.serving.record import BatchRecord
from engine.serving.scheduler import Scheduler
from engine.serving.threads import ThreadShare

_IN_FLIGHT = 2
"""A batch may take up so large a share of the slots: the next one needs some too."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the pipelines of all stacks have in common: the cores, the tenants' weights, who hears
    of batches and adapters, and how batches are numbered."""

    threads: ThreadShare
    weight: Callable[[str], float]
    on_batch: Callable[[BatchRecord], None]
    on_move: Callable[[Move], None]
    numbers: Iterator[int]


@dataclass(frozen=True, slots=True, eq=False)
class ServingStack(Stack):
    own: bool
    """The engine's own, which is there from its start to its end."""
    queue: Scheduler
    pipeline: Pipeline

    @classmethod
    def load(
        cls,
        folder: Path | None,
        split: int,
        settings: Settings,
        shelves: Shelves,
        around: Surroundings,
        device: torch.device,
        phase: Callable[[str], None],
        *,
        own: bool = True,
    ) -> ServingStack:
        """Load everything; `phase` hears what. Raises HmiError or StoreError."""
        phase("loading the backbone")
        backbone = load_backbone(folder, device=device, dtype=pick_dtype(device), split=split)
        if own:
            claim_unnamed(shelves, backbone.sha256)
        else:
            settings = _share_of(settings)
        stack = Stack.around(backbone, folder, settings.encoder, settings, shelves, phase)
        tiers = stack.tiers
        tiers.on_move = around.on_move
        queue = Scheduler(
            settings.queue_tokens,
            standing=tiers.standing,
            weight=around.weight,
            slo_ms=settings.slo_ms,
        )
        tiers.on_ready = queue.wake
        miss: MissPolicy = "backoff" if settings.miss == "backoff" else "compute"
        pipeline = Pipeline(
            backbone,
            stack.tree,
            tiers,
            queue,
            BatchLimits(settings.batch_tokens, max(1, tiers.arena.slots // _IN_FLIGHT)),
            miss,
            around.threads,
            around.on_batch,
            "exact" if settings.damaged == "exact" else "refuse",
            overlap=settings.pipeline == "on",
            # Nobody was promised tables for a backbone that has no encoder yet.
            tolerated=() if own else ("no_encoder",),
            workers=None if own else 1,
            numbers=around.numbers,
        )
        parts = {each.name: getattr(stack, each.name) for each in fields(stack)}
        return cls(**parts, own=own, queue=queue, pipeline=pipeline)

    def stop(self) -> None:
        """Finish the batches under way and refuse what waits."""
        self.pipeline.stop()
        self.tiers.close()


def _share_of(settings: Settings) -> Settings:
    """What one beside the engine's own may take."""
    share = settings.further_share
    return replace(
        settings,
        encoder=None,
        host_cache=int(share * settings.host_cache),
        device_cache=int(share * settings.device_cache),
        table_cache=int(share * settings.table_cache),
    )
