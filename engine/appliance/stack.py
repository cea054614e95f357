"""What belongs to one backbone and no other: all whose shape, or whose rows, are its own, and the
pipeline that computes with them.

The rest of an engine (catalogue, tenants, admission, jobs) knows no shape.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.appliance.inspection import TableInspection
from engine.appliance.source import BlobSource
from engine.config import Settings
from engine.errors import HmiError
from engine.knowledge.encoder_file import general_hplm, load_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Damage, MissPolicy
from engine.knowledge.row_cache import RowCache
from engine.knowledge.traffic_file import TrafficLedger
from engine.knowledge.tree import DomainTree
from engine.memory.arena import AdapterArena
from engine.memory.counters import Move
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape
from engine.model.backbone import Backbone, load_backbone, pick_dtype
from engine.serving.draft import BatchLimits
from engine.serving.pipeline import Pipeline
from engine.serving.record import BatchRecord
from engine.serving.scheduler import Scheduler
from engine.serving.threads import ThreadShare
from store.blobs import BlobStore
from store.errors import StoreError
from store.rows import DomainRow
from store.tables import TableFiles
from store.traffic_files import TrafficFiles

log = logging.getLogger(__name__)

ARENA_RANK = 64
"""The rank of the arena's slots, and so the highest a vPLM may have."""
_IN_FLIGHT = 2
"""A batch may take up so large a share of the slots: the next one needs some too."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where what a stack reads lies; shared by all there may be."""

    blobs: BlobStore
    tables: TableFiles
    traffic: TrafficFiles
    domains: Callable[[], list[DomainRow]]


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
class Stack:
    """A loaded backbone, the tree of domains in its shape with the rows computed lately, the arena
    with the tiers of adapters that fit it, and its own queue and pipeline."""

    folder: Path | None
    """Where the backbone was loaded from; None for the bundled one."""
    backbone: Backbone
    row_cache: RowCache
    tree: DomainTree
    ledger: TrafficLedger
    inspection: TableInspection
    adapter_shape: AdapterShape
    tiers: AdapterTiers
    queue: Scheduler
    pipeline: Pipeline

    @property
    def sha256(self) -> str:
        """Of the backbone's weights."""
        return self.backbone.checkpoint.sha256

    @classmethod
    def load(
        cls,
        folder: Path | None,
        settings: Settings,
        shelves: Shelves,
        around: Surroundings,
        device: torch.device,
        phase: Callable[[str], None],
    ) -> Stack:
        """Load everything; `phase` hears what. Raises HmiError or StoreError."""
        phase("loading the backbone")
        backbone = load_backbone(
            folder, device=device, dtype=pick_dtype(device), split=settings.split
        )
        phase("loading the general encoder")
        general, damage = _general(backbone, settings, shelves)
        phase("opening the tables")

        def own_hplm(blob: str) -> Hplm:
            return load_hplm(shelves.blobs.verified(blob), backbone).to(device)

        row_cache = RowCache(settings.table_cache, backbone.shape.hidden)
        tree = DomainTree(shelves.tables, general.to(device), damage, row_cache, own_hplm)
        tree.load(shelves.domains())
        ledger = TrafficLedger(shelves.traffic, tree, backbone.checkpoint.sha256)
        ledger.load()
        inspection = TableInspection(shelves.tables, tree)
        inspection.begin()
        for found in {knowledge.damage for knowledge in tree.all()}:
            if found is not None:
                log.error("%s %s", found.detail, found.remedy)
        phase("laying out the adapter arena")
        upper = backbone.shape.layers - backbone.split
        adapter_shape = AdapterShape(upper, backbone.shape.hidden, ARENA_RANK)
        arena = AdapterArena(adapter_shape, settings.device_cache, device, backbone.dtype)
        tiers = AdapterTiers(BlobSource(shelves.blobs, backbone), arena, settings.host_cache)
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
            tree,
            tiers,
            queue,
            BatchLimits(settings.batch_tokens, max(1, arena.slots // _IN_FLIGHT)),
            miss,
            around.threads,
            around.on_batch,
            "exact" if settings.damaged == "exact" else "refuse",
            overlap=settings.pipeline == "on",
            numbers=around.numbers,
        )
        return cls(
            folder,
            backbone,
            row_cache,
            tree,
            ledger,
            inspection,
            adapter_shape,
            tiers,
            queue,
            pipeline,
        )

    def stop(self) -> None:
        """Finish the batches under way and refuse what waits."""
        self.pipeline.stop()
        self.tiers.close()

    def close(self) -> None:
        """Put down what was counted; it has stopped."""
        self.ledger.save()
        self.inspection.stop()


def _general(
    backbone: Backbone, settings: Settings, shelves: Shelves
) -> tuple[Hplm, Damage | None]:
    """The root's own if it was trained here, else --encoder's or ours."""
    for row in shelves.domains():
        if row.parent is None and row.encoder is not None:
            try:
                return load_hplm(shelves.blobs.verified(row.encoder), backbone), None
            except (HmiError, StoreError) as error:
                log.error("the trained general encoder is not used: %s %s", error, error.remedy)
    return general_hplm(settings.encoder, backbone)
