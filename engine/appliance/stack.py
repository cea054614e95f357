"""What belongs to one backbone and no other: all whose shape, or whose rows, are its own.

An engine has one of these for each backbone of its classifiers, with a pipeline (serving_stack),
and one for its generators. The rest of it (catalogue, tenants, jobs) knows no shape.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.appliance.epochs import EpochBook
from engine.appliance.inspection import TableInspection
from engine.appliance.source import BlobSource
from engine.config import Settings
from engine.errors import HmiError
from engine.knowledge.encoder_file import general_hplm, load_hplm
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Damage
from engine.knowledge.row_cache import RowCache
from engine.knowledge.traffic_file import TrafficLedger
from engine.knowledge.tree import DomainTree
from engine.memory.arena import AdapterArena
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape
from engine.model.backbone import Backbone
from engine.schema import Kind
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.errors import StoreError
from store.tables import TableFiles
from store.traffic_files import TrafficFiles

log = logging.getLogger(__name__)

ARENA_RANK = 64
"""The rank of the arena's slots, and so the highest a vPLM may have."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where what a stack reads lies; shared by all there may be."""

    catalogue: Catalogue
    blobs: BlobStore
    tables: TableFiles
    traffic: Callable[[str], TrafficFiles]
    """Of a backbone, by its sha256."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """A loaded backbone, the tree of domains in its shape with the rows computed lately, and the
    arena with the tiers of adapters that fit it."""

    folder: Path | None
    """Where the backbone was loaded from; None for the bundled one."""
    backbone: Backbone
    row_cache: RowCache
    tree: DomainTree
    ledger: TrafficLedger
    epochs: EpochBook
    inspection: TableInspection
    adapter_shape: AdapterShape
    tiers: AdapterTiers

    @property
    def kind(self) -> Kind:
        """Of the vPLMs that are made for it."""
        return "generator" if self.backbone.shape.causal else "classifier"

    @property
    def sha256(self) -> str:
        """Of the backbone's weights: by it the catalogue knows what is this stack's."""
        return self.backbone.checkpoint.sha256

    @staticmethod
    def around(
        backbone: Backbone,
        folder: Path | None,
        encoder: Path | None,
        settings: Settings,
        shelves: Shelves,
        phase: Callable[[str], None],
    ) -> Stack:
        """All that belongs to a loaded backbone. `encoder` is a file of the general encoder to use
        where none was trained here; None for ours. Raises HmiError or StoreError."""
        sha256, device = backbone.checkpoint.sha256, backbone.device
        phase("loading the general encoder")
        general, damage = _general(backbone, encoder, shelves)
        phase("opening the tables")

        def own_hplm(blob: str) -> Hplm:
            return load_hplm(shelves.blobs.verified(blob), backbone).to(device)

        row_cache = RowCache(settings.table_cache, backbone.shape.hidden)
        tree = DomainTree(shelves.tables, general.to(device), damage, row_cache, own_hplm)
        tree.load(shelves.catalogue.domains.all(sha256))
        ledger = TrafficLedger(shelves.traffic(sha256), tree, sha256)
        ledger.load()
        epochs = EpochBook(shelves.catalogue, sha256, lambda: tree.traffic)
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
        return Stack(
            folder, backbone, row_cache, tree, ledger, epochs, inspection, adapter_shape, tiers
        )

    def save(self) -> None:
        """Write down what was asked of the tables since the last time."""
        self.ledger.save()
        self.epochs.save()

    def close(self) -> None:
        """Stop what runs beside serving. Nothing is written down."""
        self.inspection.stop()
        self.tiers.close()


def _general(
    backbone: Backbone, encoder: Path | None, shelves: Shelves
) -> tuple[Hplm, Damage | None]:
    """The root's own if it was trained here, else the file `encoder` or ours."""
    for row in shelves.catalogue.domains.all(backbone.checkpoint.sha256):
        if row.parent is None and row.encoder is not None:
            try:
                return load_hplm(shelves.blobs.verified(row.encoder), backbone), None
            except (HmiError, StoreError) as error:
                log.error("the trained general encoder is not used: %s %s", error, error.remedy)
    return general_hplm(encoder, backbone)
