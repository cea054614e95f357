"""What an engine that was killed left behind, put right when the next one starts."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.appliance.source import IMPORTED
from engine.knowledge.tree import ROOT
from store import sums
from store.catalogue import Catalogue
from store.errors import StoreError
from store.files import sweep
from store.rows import DomainRow

if TYPE_CHECKING:
    from engine.appliance.core import Core
    from engine.appliance.stack import Shelves

log = logging.getLogger(__name__)


def mend(catalogue: Catalogue) -> set[str]:
    """Make the domains one tree again, and the half-rebuilt ones what they were before.

    Returns those that hung from nothing or in a ring.
    """
    mended = catalogue.domains.mend(DomainRow(ROOT, None, 0, "empty", None, 0, 0, {}, time.time()))
    for name in mended:
        log.warning('domain "%s" hung from nothing or in a ring; the tree is mended', name)
    for row in catalogue.domains.known():
        if row.state == "rebuilding":
            # The epoch before goes on.
            state = "ready" if row.epoch else "empty"
            catalogue.domains.change(row.name, row.backbone, state=state)
    return set(mended) - {ROOT}


def claim_unnamed(shelves: Shelves, running: str) -> None:
    """Say whose it is what domains knew before backbones were told apart: the table says it, or
    else the encoder; what neither says is `running`'s, the sha256 of the classifiers' backbone."""
    domains = shelves.catalogue.domains
    for row in domains.known():
        if not row.backbone:
            domains.claim(row.name, _backbone_of(shelves, row) or running)
    before = shelves.traffic("")
    for row in domains.all():
        # What was counted for another backbone, the ledger finds out and forgets.
        shelves.traffic(running).take(row.name, before)


def _backbone_of(shelves: Shelves, row: DomainRow) -> str:
    with contextlib.suppress(StoreError):
        meta = shelves.tables.open(row.name, row.epoch).manifest.meta
        return str(meta.get("backbone_sha256", ""))
    if row.encoder is not None:
        with contextlib.suppress(StoreError):
            return shelves.blobs.get(row.encoder, verify=False)[1].get("backbone_sha256", "")
    return ""


def _sweep_unnamed(training: Path) -> int:
    """Remove half-trained encoders from before backbones were told apart: nobody goes on with
    them."""
    old = [path for path in training.glob("*.safetensors") if "~" not in path.name]
    for path in old:
        sums.remove(path)
    return len(old)


def sweep_debris(core: Core) -> None:
    """Remove every file that the catalogue does not know."""
    known = core.catalogue.domains.known()
    names = {row.name for row in core.catalogue.domains.all()}
    for adapter in core.catalogue.adapters.unused():
        # Its successor had been published, but it had not been let go of.
        if core.catalogue.adapters.get(adapter).created_by != IMPORTED:
            core.catalogue.adapters.remove(adapter)
    swept = (
        core.blobs.sweep(core.catalogue.blob_ids())
        + core.traffic_files.sweep(names)
        + core.backbone_files.sweep({row.sha256 for row in core.catalogue.backbones.all()})
        + core.tables.sweep({(row.name, row.epoch) for row in known})
        + core.corpora.sweep()
        + core.datasets.sweep({row.path_name for row in core.catalogue.datasets.all()})
        + sweep(core.settings.paths.training)
        + _sweep_unnamed(core.settings.paths.training)
    )
    if swept:
        log.info("swept %d files that nothing refers to", swept)
