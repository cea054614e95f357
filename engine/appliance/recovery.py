"""What an engine that was killed left behind, put right when the next one starts."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from engine.appliance.source import IMPORTED
from engine.knowledge.tree import ROOT
from store.catalogue import Catalogue
from store.files import sweep
from store.rows import DomainRow

if TYPE_CHECKING:
    from engine.appliance.core import Core

log = logging.getLogger(__name__)


def mend(catalogue: Catalogue) -> set[str]:
    """Make the domains one tree again, and the half-rebuilt ones what they were before.

    Returns those that hung from nothing or in a ring.
    """
    mended = catalogue.domains.mend(DomainRow(ROOT, None, 0, "empty", None, 0, 0, {}, time.time()))
    for name in mended:
        log.warning('domain "%s" hung from nothing or in a ring; the tree is mended', name)
    for row in catalogue.domains.all():
        if row.state == "rebuilding":
            # The epoch before goes on.
            catalogue.domains.change(row.name, state="ready" if row.epoch else "empty")
    return set(mended) - {ROOT}


def sweep_debris(core: Core) -> None:
    """Remove every file that the catalogue does not know."""
    domains = core.catalogue.domains.all()
    for adapter in core.catalogue.adapters.unused():
        # Its successor had been published, but it had not been let go of.
        if core.catalogue.adapters.get(adapter).created_by != IMPORTED:
            core.catalogue.adapters.remove(adapter)
    swept = (
        core.blobs.sweep(core.catalogue.blob_ids())
        + core.traffic_files.sweep({row.name for row in domains})
        + core.backbone_files.sweep({row.sha256 for row in core.catalogue.backbones.all()})
        + core.tables.sweep({(row.name, row.epoch) for row in domains})
        + core.corpora.sweep()
        + core.datasets.sweep({row.path_name for row in core.catalogue.datasets.all()})
        + sweep(core.settings.paths.training)
    )
    if swept:
        log.info("swept %d files that nothing refers to", swept)
