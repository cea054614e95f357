"""What vPLMs and adapters are made for: their backbone, whether it is loaded or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.appliance.generator_stack import no_generators
from engine.appliance.known_backbones import KnownBackbone, known_of
from engine.appliance.source import BlobSource
from engine.knowledge.retrieve import Knowledge
from engine.memory.counters import TierName
from engine.model.adapters import AdapterWeights
from store.rows import AdapterRow, VplmRow

if TYPE_CHECKING:
    from engine.appliance.core import Core

_NAMED = 12
"""Characters of a sha256 that tell one backbone from others."""


def backbone_of(core: Core, row: VplmRow) -> KnownBackbone:
    """What the vPLM's adapters are made for. Unavailable if that is not here, or nothing here can
    generate."""
    if row.task == "generate":
        return generators_backbone(core)
    return core.known.get(row.backbone)


def generators_backbone(core: Core) -> KnownBackbone:
    """Unavailable if nothing here can generate."""
    if core.generators is None:
        raise no_generators()
    return known_of(core.generators.decoder)


def find_backbone(core: Core, sha256: str) -> KnownBackbone | None:
    """The backbone, or the generators', with these weights."""
    stack = core.generators
    if stack is not None and sha256 == stack.decoder.sha256:
        return known_of(stack.decoder)
    return core.known.find(sha256)


def backbone_with(core: Core, sha256: str) -> KnownBackbone:
    """The same. Unavailable if it is not here."""
    return find_backbone(core, sha256) or core.known.get(sha256)


def name_of(core: Core, sha256: str) -> str:
    """What people call the backbone with these weights; the sum's beginning if it is not here."""
    found = find_backbone(core, sha256)
    return sha256[:_NAMED] if found is None else found.id


def tier_of(core: Core, adapter: str, backbone: str) -> TierName:
    """The fastest tier that holds it now."""
    tiers = core.tiers_of(backbone)
    return "disk" if tiers is None else tiers.tier(adapter)


def read_adapter(core: Core, row: AdapterRow) -> AdapterWeights:
    """Its weights, from wherever they are; no tier changes, and nothing is loaded for it."""
    backbone = row.metadata.get("backbone_sha256", "")
    tiers = core.tiers_of(backbone)
    if tiers is not None:
        return tiers.read(row.id)
    return BlobSource(core.blobs, backbone_with(core, backbone)).read(row.id)


@contextlib.contextmanager
def knowledge_of(core: Core, row: VplmRow) -> Iterator[Knowledge]:
    """What the vPLM uses in its domain now; its backbone is loaded meanwhile. NotFound; Unavailable
    as of backbone_of."""
    if row.task == "generate":
        yield core.stack_of(row.task).tree.take(row.domain)
        return
    with core.backbones.held(row.backbone) as stack:
        yield stack.tree.take(row.domain)
