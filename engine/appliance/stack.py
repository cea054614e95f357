"""What belongs to one backbone and no other: all whose shape, or whose rows, are its own, and the
pipeline that computes with them.

The rest of an engine (catalogue, tenants, admission, jobs) knows no shape.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.appliance.inspection import TableInspection
from engine.appliance.known_backbones import KnownBackbone
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
class StackPlan:
    """Which backbone a stack is of, and what it may take: bytes, and workers that compute (None: as
    many as there are teams of threads). `encoder` None: the one that comes with it, if one does."""

    folder: Path | None
    """None: the bundled one's."""
    split: int
    encoder: Path | None
    host_cache: int
    device_cache: int
    table_cache: int
    own: bool
    workers: int | None = None

    @classmethod
    def of_own(cls, settings: Settings, folder: Path | None, split: int) -> StackPlan:
        """The engine's own, which may take what the operator gave."""
        return cls(
            folder,
            split,
            settings.encoder,
            settings.host_cache,
            settings.device_cache,
            settings.table_cache,
            own=True,
        )

    @classmethod
    def of_further(cls, settings: Settings, known: KnownBackbone) -> StackPlan:
        """One beside it: a share of each cache on top, and one team of threads."""
        share = settings.further_share
        return cls(
            None if known.origin == "bundled" else known.folder,
            known.split,
            None,
            int(share * settings.host_cache),
            int(share * settings.device_cache),
            int(share * settings.table_cache),
            own=False,
            workers=1,
        )


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

    plan: StackPlan
    backbone: Backbone
    row_cache: RowCache
    tree: DomainTree
    ledger: TrafficLedger | None
    """None: what its domains are asked is not kept from one start to the next."""
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
        plan: StackPlan,
        settings: Settings,
        shelves: Shelves,
        around: Surroundings,
        device: torch.device,
        phase: Callable[[str], None],
    ) -> Stack:
        """Load everything; `phase` hears what. Raises HmiError or StoreError."""
        phase("loading the backbone")
        backbone = load_backbone(
            plan.folder, device=device, dtype=pick_dtype(device), split=plan.split
        )
        phase("loading the general encoder")
        general, damage = _general(backbone, plan, shelves)
        phase("opening the tables")

        def own_hplm(blob: str) -> Hplm:
            return load_hplm(shelves.blobs.verified(blob), backbone).to(device)

        row_cache = RowCache(plan.table_cache, backbone.shape.hidden)
        tree = DomainTree(shelves.tables, general.to(device), damage, row_cache, own_hplm)
        tree.load(domains_of(plan, shelves))
        ledger = None
        if plan.own:
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
        arena = AdapterArena(adapter_shape, plan.device_cache, device, backbone.dtype)
        tiers = AdapterTiers(BlobSource(shelves.blobs, backbone), arena, plan.host_cache)
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
            # Nobody was promised tables for a backbone that none can be built for.
            "exact" if settings.damaged == "exact" or not plan.own else "refuse",
            overlap=settings.pipeline == "on",
            workers=plan.workers,
            numbers=around.numbers,
        )
        return cls(
            plan,
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
        if self.ledger is not None:
            self.ledger.save()
        self.inspection.stop()

    def memory(self) -> dict[str, int]:
        """Bytes by owner."""
        known, use = self.tree.all(), self.tiers.use()
        return {
            "backbone": self.backbone.bytes,
            "encoders": sum(hplm.nbytes for hplm in self.tree.hplms()),
            "table indexes": sum(knowledge.view.index_bytes for knowledge in known),
            "traffic counts": sum(each.view.hits.nbytes + each.traffic.nbytes for each in known),
            "row cache": self.row_cache.use().bytes,
            "host cache": use["host"].bytes,
            "adapter slots": self.tiers.arena.nbytes,
        }

    def device_memory(self) -> dict[str, int]:
        """Of these, what lies on the device."""
        here = ("backbone", "encoders", "adapter slots")
        return {owner: held for owner, held in self.memory().items() if owner in here}


def domains_of(plan: StackPlan, shelves: Shelves) -> list[DomainRow]:
    """The domains as the plan's backbone sees them: tables and encoders are the engine's own."""
    rows = shelves.domains()
    return rows if plan.own else [untabled(row) for row in rows]


def untabled(row: DomainRow) -> DomainRow:
    """A domain whose tables and encoder are another backbone's."""
    return replace(row, epoch=0, encoder=None)


def _general(backbone: Backbone, plan: StackPlan, shelves: Shelves) -> tuple[Hplm, Damage | None]:
    """The root's own if it was trained here, else the plan's or ours."""
    for row in domains_of(plan, shelves):
        if row.parent is None and row.encoder is not None:
            try:
                return load_hplm(shelves.blobs.verified(row.encoder), backbone), None
            except (HmiError, StoreError) as error:
                log.error("the trained general encoder is not used: %s %s", error, error.remedy)
    return general_hplm(plan.encoder, backbone)
