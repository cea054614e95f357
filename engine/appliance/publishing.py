"""Publishing: from now on a vPLM answers with another adapter, and that is a version of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.appliance.core import Core
from store.rows import AdapterRow, VplmRow

Origin = Literal["trained", "upload", "rollback", "promoted"]


@dataclass(frozen=True, slots=True)
class Publication:
    """The adapter, its held-out accuracy if that is known, and where both come from."""

    adapter: str
    accuracy: float | None
    origin: Origin
    source: str


def publish(
    core: Core, vplm: VplmRow, publication: Publication, new: Sequence[AdapterRow] = ()
) -> VplmRow:
    """Serve it; the row as it is now. The caller holds `core.changing`; `new` are adapters that
    the catalogue does not know yet.

    Requests that were accepted before go on with the adapter that they began with, which stays as
    long as its version is kept.
    """
    kept = _adapters(core, vplm)
    row = core.catalogue.vplms.publish(
        vplm.id,
        publication.adapter,
        publication.accuracy,
        adapters=new,
        origin=publication.origin,
        source=publication.source,
        keep=core.settings.keep_versions,
    )
    core.models.put(row)
    # Those whose last version went, and the one before, which need not stay in memory now.
    for adapter in (kept - _adapters(core, vplm)) | ({vplm.adapter} - {row.adapter}):
        core.leftovers.discard_if_unused(adapter)
    return row


def forget_versions(core: Core, vplm: VplmRow) -> set[str]:
    """The adapters that a vPLM, which is about to go, has had; the caller lets go of them."""
    return _adapters(core, vplm) | {vplm.adapter}


def _adapters(core: Core, vplm: VplmRow) -> set[str]:
    return {row.adapter for row in core.catalogue.versions.of(vplm.tenant, vplm.name)}
