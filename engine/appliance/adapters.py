"""Calls about the adapter store: what is in it, in and out by file, whole or not, garbage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.known_backbones import KnownBackbone
from engine.appliance.made_for import backbone_with, tier_of
from engine.appliance.models import task_name
from engine.appliance.provenance import provenance_metadata, provenance_of
from engine.appliance.received import received, unpacked
from engine.appliance.source import IMPORTED, BlobSource
from engine.errors import BadInput, HmiError
from engine.memory.counters import TierName
from engine.model.adapters import AdapterShape, AdapterWeights
from engine.schema import Adapter, AdapterCheck, AdapterPage
from store.errors import NotFound, StoreError
from store.rows import AdapterRow

_LONGEST_NAME, _LONGEST_ORIGIN = 63, 128
"""Characters of what a foreign file says of itself that are kept."""


class AdapterCalls(Calls):
    def adapters(
        self, q: str, sort: str | None, limit: int, cursor: str | None, unused: bool = False
    ) -> AdapterPage:
        known, offset = self._core.catalogue.adapters, offset_of(cursor)
        rows, total = known.page(q, sort, limit, offset, unused=unused)
        spare = known.unused_size()
        return AdapterPage(
            data=self._told(rows),
            total=total,
            bytes=known.total_bytes(),
            next_cursor=next_cursor(offset, len(rows), total),
            unused=spare.adapters,
            unused_bytes=spare.bytes,
        )

    def adapter(self, id: str) -> Adapter:
        return self._told([self._core.catalogue.adapters.get(id)])[0]

    def adapter_file(self, id: str) -> Path:
        self._core.catalogue.adapters.get(id)
        return self._core.blobs.path(id)

    def import_adapter(self, chunks: Iterator[bytes]) -> Adapter:
        """Take a file that an engine like this one wrote. BadInput for anything else."""
        core = self._core
        arrays, about = unpacked(received(chunks))
        try:
            made_for = core.known.get(about.get("backbone_sha256", ""))
            weights = BlobSource(core.blobs, made_for).checked(arrays, about, "in the file")
        except HmiError as error:
            raise BadInput(
                error.detail,
                remedy="Send a file that hmi adapter export wrote, for a backbone that is here: "
                "hmi backbone ls lists those.",
                code=error.code,
            ) from error
        return self._take(weights, arrays, about, about.get("created_by", ""))

    def verify_adapter(self, id: str) -> AdapterCheck:
        """Read its file, hash it again and look whether it could serve."""
        core = self._core
        row = core.catalogue.adapters.get(id)
        try:
            sha256 = row.metadata.get("backbone_sha256", "")
            BlobSource(core.blobs, backbone_with(core, sha256)).read(id)
        except (HmiError, StoreError) as error:
            return AdapterCheck(id=id, ok=False, detail=f"{error.detail} {error.remedy}".strip())
        return AdapterCheck(id=id, ok=True, detail="")

    def remove_adapter(self, id: str) -> None:
        core = self._core
        with core.changing:
            core.catalogue.adapters.remove(id)
            core.leftovers.forget(id)

    def _take(
        self,
        weights: AdapterWeights,
        arrays: Mapping[str, NDArray[np.generic]],
        about: Mapping[str, str],
        origin: str,
    ) -> Adapter:
        """Keep an adapter that came from elsewhere; one that is here already stays as it is.
        BadInput if the arena has no slot for its shape."""
        core = self._core
        self._check_shape(weights.shape, core.known.get(about.get("backbone_sha256", "")))
        with core.changing, core.blobs.keeping():
            info = core.blobs.put(arrays, about)
            try:
                return self.adapter(info.id)
            except NotFound:
                pass
            named = about.get("labels", "")
            kept = {
                "domain": about.get("domain", "")[:_LONGEST_NAME],
                "backbone_sha256": about.get("backbone_sha256", ""),
                # Names that do not go with the head are no help to anybody.
                "labels": named if len(named.split("\n")) == weights.labels else "",
                "task": task_name(about.get("task", "classify")),
            }
            row = AdapterRow(
                info.id,
                info.bytes,
                weights.shape.rank,
                ",".join(weights.places),
                weights.labels,
                IMPORTED,
                kept
                | {"origin": origin[:_LONGEST_ORIGIN]}
                | provenance_metadata(provenance_of(about)),
                time.time(),
            )
            try:
                core.catalogue.adapters.add(row)
            except BaseException:
                core.leftovers.forget(info.id)
                raise
        return self._told([row])[0]

    def _check_shape(self, shape: AdapterShape, made_for: KnownBackbone) -> None:
        fits = made_for.adapter_shape
        if (shape.layers, shape.hidden) != (fits.layers, fits.hidden):
            raise BadInput(
                f"The adapter is for {shape.layers} upper layers of {shape.hidden}; here are "
                f"{fits.layers} of {fits.hidden}.",
                remedy="Start the engine with the --split that it was made for.",
                code="adapter_mismatch",
            )
        if shape.rank > fits.rank:
            raise BadInput(
                f"Rank {shape.rank} does not fit: the arena's slots are made for rank {fits.rank}.",
                remedy=f"Import adapters of a rank up to {fits.rank}.",
                code="rank_too_high",
            )

    def _told(self, rows: Sequence[AdapterRow]) -> list[Adapter]:
        """Adapters with their tiers and users; as many questions for a hundred as for one."""
        catalogue, ids = self._core.catalogue, [row.id for row in rows]
        users = catalogue.vplms.users_of(ids)
        versions, starters = catalogue.versions.users_of(ids), catalogue.starters.users_of(ids)

        def tier(row: AdapterRow) -> TierName:
            return tier_of(self._core, row.id, row.metadata.get("backbone_sha256", ""))

        return [
            _adapter(row, tier(row), users[row.id], versions[row.id] + starters[row.id])
            for row in rows
        ]


def _adapter(row: AdapterRow, tier: TierName, users: list[str], kept_for: list[str]) -> Adapter:
    named = row.metadata.get("labels", "")
    return Adapter(
        id=row.id,
        bytes=row.bytes,
        rank=row.rank,
        places=row.places.split(","),
        labels=row.labels,
        tier=tier,
        users=users,
        kept_for=kept_for,
        created_by=row.created_by,
        created_at=row.created_at,
        domain=row.metadata.get("domain", ""),
        backbone_sha256=row.metadata.get("backbone_sha256", ""),
        origin=row.metadata.get("origin", ""),
        label_names=named.split("\n") if named else [],
        provenance=provenance_of(row.metadata),
    )
