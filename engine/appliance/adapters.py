"""Calls about the adapter store: what is in it, in and out by file, whole or not, garbage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.source import IMPORTED, PLACES_NAME, BlobSource
from engine.errors import BadInput, HmiError, TooLarge
from engine.schema import Adapter, AdapterCheck, AdapterPage
from store.errors import NotFound, StoreError
from store.rows import AdapterRow
from store.tensors import unpack

_LARGEST = 64 << 20
"""Bytes of an adapter's file; ours have one, or with thousands of labels a few, MiB."""


class AdapterCalls(Calls):
    def adapters(
        self, q: str, sort: str | None, limit: int, cursor: str | None, unused: bool = False
    ) -> AdapterPage:
        known, offset = self._core.catalogue.adapters, offset_of(cursor)
        rows, total = known.page(q, sort, limit, offset, unused=unused)
        return AdapterPage(
            data=[self._adapter(row) for row in rows],
            total=total,
            bytes=known.total_bytes(),
            next_cursor=next_cursor(offset, len(rows), total),
            unused=known.page(limit=1, unused=True)[1],
            unused_bytes=known.unused_bytes(),
        )

    def adapter(self, id: str) -> Adapter:
        return self._adapter(self._core.catalogue.adapters.get(id))

    def adapter_file(self, id: str) -> Path:
        self._core.catalogue.adapters.get(id)
        return self._core.blobs.path(id)

    def import_adapter(self, chunks: Iterator[bytes]) -> Adapter:
        """Take a file that an engine like this one wrote. BadInput for anything else."""
        core = self._core
        arrays, about = _unpacked(chunks)
        try:
            weights = BlobSource(core.blobs, core.backbone).checked(arrays, about, "in the file")
        except HmiError as error:
            raise BadInput(
                error.detail,
                remedy="Send a file that hmi adapter export wrote, for the same backbone.",
                code=error.code,
            ) from error
        fits = core.adapter_shape
        if (weights.shape.layers, weights.shape.hidden) != (fits.layers, fits.hidden):
            raise BadInput(
                f"The adapter is for {weights.shape.layers} upper layers of "
                f"{weights.shape.hidden}; here are {fits.layers} of {fits.hidden}.",
                remedy="Start the engine with the --split that it was made for.",
                code="adapter_mismatch",
            )
        if weights.shape.rank > fits.rank:
            raise BadInput(
                f"Rank {weights.shape.rank} does not fit: the arena's slots are made for rank "
                f"{fits.rank}.",
                remedy=f"Import adapters of a rank up to {fits.rank}.",
                code="rank_too_high",
            )
        with core.changing:
            info = core.blobs.put(arrays, about)
            try:
                return self.adapter(info.id)
            except NotFound:
                pass
            told = ("domain", "backbone_sha256", "labels", "task")
            kept = {name: about[name] for name in told if name in about}
            row = AdapterRow(
                info.id,
                info.bytes,
                weights.shape.rank,
                PLACES_NAME,
                weights.labels,
                IMPORTED,
                kept | {"origin": about.get("created_by", "")},
                time.time(),
            )
            try:
                core.catalogue.adapters.add(row)
            except BaseException:
                core.forget_blob(info.id)
                raise
        return self._adapter(row)

    def verify_adapter(self, id: str) -> AdapterCheck:
        """Read its file, hash it again and look whether it could serve."""
        core = self._core
        core.catalogue.adapters.get(id)
        try:
            BlobSource(core.blobs, core.backbone).read(id)
        except (HmiError, StoreError) as error:
            return AdapterCheck(id=id, ok=False, detail=f"{error.detail} {error.remedy}".strip())
        return AdapterCheck(id=id, ok=True, detail="")

    def remove_adapter(self, id: str) -> None:
        core = self._core
        with core.changing:
            core.catalogue.adapters.remove(id)
            core.forget_blob(id)

    def _adapter(self, row: AdapterRow) -> Adapter:
        core = self._core
        named = row.metadata.get("labels", "")
        return Adapter(
            id=row.id,
            bytes=row.bytes,
            rank=row.rank,
            labels=row.labels,
            tier=core.tiers.tier(row.id),
            users=core.catalogue.vplms.users_of(row.id),
            kept_for=core.catalogue.versions.users_of(row.id)
            + core.catalogue.starters.users_of(row.id),
            created_by=row.created_by,
            created_at=row.created_at,
            domain=row.metadata.get("domain", ""),
            backbone_sha256=row.metadata.get("backbone_sha256", ""),
            origin=row.metadata.get("origin", ""),
            label_names=named.split("\n") if named else [],
        )


def _unpacked(chunks: Iterator[bytes]) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    """Tensors and metadata of a file that comes in chunks."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > _LARGEST:
            raise TooLarge(
                f"The file has more than {_LARGEST >> 20} MiB; no adapter is that large.",
                remedy="Send an adapter's safetensors file.",
            )
    try:
        return unpack(np.frombuffer(data, dtype=np.uint8))
    except ValueError as error:
        raise BadInput(
            f"The file is {error}.".replace("is not readable", "cannot be read"),
            remedy="Send a file that hmi adapter export wrote.",
            code="not_an_adapter",
        ) from error
