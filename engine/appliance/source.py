"""The disk tier: adapters as the blob store keeps them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from engine.appliance.provenance import provenance_metadata
from engine.errors import Damaged, Unavailable
from engine.model.adapters import (
    FORMAT,
    AdapterShape,
    AdapterWeights,
    places_of,
    random_adapter,
)
from engine.schema import Provenance
from store.blobs import BlobInfo, BlobStore
from store.errors import NotFound
from store.rows import AdapterRow
from store.tensors import pack

IMPORTED = "import"
"""What made an adapter that came as a file."""


class MadeFor(Protocol):
    """The backbone of an adapter, loaded or not; `split` is k."""

    @property
    def sha256(self) -> str: ...
    @property
    def split(self) -> int: ...


class BlobSource:
    """Reads adapters whole and checks that they are what their name says."""

    def __init__(self, blobs: BlobStore, backbone: MadeFor) -> None:
        self._blobs = blobs
        self._backbone = backbone

    def read(self, adapter: str) -> AdapterWeights:
        """The adapter `adapter` (a sha256); Damaged (here or in the store) names the file."""
        try:
            arrays, metadata = self._blobs.get(adapter)
        except NotFound:
            raise Damaged(
                f"The file of adapter {adapter} is missing: {self._blobs.path(adapter)}.",
                remedy="Restore it from a backup, or remove the vPLMs that use it (hmi vplm rm) "
                "and create them again.",
                code="adapter_missing",
            ) from None
        except OSError as error:
            raise Unavailable(
                f"The file of adapter {adapter} cannot be read: {error}.",
                remedy="Ask again; if it stays so, look after the disk.",
                code="adapter_unreadable",
            ) from error
        return self.checked(arrays, metadata, adapter)

    def checked(
        self, arrays: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str], adapter: str
    ) -> AdapterWeights:
        """The adapter that these are. Damaged, naming `adapter`, if this backbone has no use for
        them."""
        if metadata.get("format") != FORMAT:
            raise Damaged(
                f"Blob {adapter} is not an adapter (format {metadata.get('format')!r}).",
                remedy="Train the vPLM again, or restore the file from a backup.",
                code="adapter_damaged",
            )
        if metadata.get("backbone_sha256") != self._backbone.sha256:
            raise Damaged(
                f"Adapter {adapter} was made for another backbone "
                f"({metadata.get('backbone_sha256', '')[:12]}).",
                remedy="Start the engine with that backbone, or train the vPLM again.",
                code="adapter_mismatch",
            )
        if metadata.get("k", str(self._backbone.split)) != str(self._backbone.split):
            raise Damaged(
                f"Adapter {adapter} was made above {metadata['k']} layers of its backbone, of "
                f"which {self._backbone.split} come from tables now.",
                remedy="Start the engine with the --split that it was made for, or train the vPLM "
                "again.",
                code="adapter_mismatch",
            )
        headless = metadata.get("task") in ("embedding", "generate")
        places = places_of(metadata, adapter)
        return AdapterWeights.from_arrays(arrays, adapter, headless=headless, places=places)


def store_adapters(
    blobs: BlobStore,
    backbone: MadeFor,
    adapters: Iterable[AdapterWeights],
    *,
    domain: str,
    labels: tuple[str, ...],
    created_by: str,
    task: str = "classify",
    provenance: Provenance | None = None,
) -> list[AdapterRow]:
    """Write adapters (consumed one by one) and return the catalogue rows that describe them."""
    origin = provenance_metadata(provenance)
    rank = count = 0
    places = ""

    def files() -> Iterator[tuple[Mapping[str, NDArray[np.generic]], Mapping[str, str]]]:
        nonlocal rank, count, places
        for weights in adapters:
            rank, count = weights.shape.rank, weights.labels
            about = adapter_metadata(backbone, weights, domain, labels, created_by, task)
            places = about["places"]
            yield weights.arrays(), about | origin

    infos: list[BlobInfo] = blobs.put_many(files())
    now = time.time()
    kept = {"domain": domain, "backbone_sha256": backbone.sha256, "task": task} | origin
    return [
        AdapterRow(info.id, info.bytes, rank, places, count, created_by, kept, now)
        for info in infos
    ]


def adapter_bytes(
    backbone: MadeFor,
    shape: AdapterShape,
    places: Sequence[str],
    domain: str,
    labels: tuple[str, ...],
    created_by: str,
) -> int:
    """Bytes of the file that `store_adapters` would write for an adapter of this shape."""
    any_weights = random_adapter(shape, len(labels), torch.Generator(), torch.float16, places)
    metadata = adapter_metadata(backbone, any_weights, domain, labels, created_by)
    return len(pack(any_weights.arrays(), metadata))


def adapter_metadata(
    backbone: MadeFor,
    weights: AdapterWeights,
    domain: str,
    labels: tuple[str, ...],
    created_by: str,
    task: str = "classify",
) -> dict[str, str]:
    """What an adapter's file says of itself (CONTRACT section 4)."""
    return {
        "format": FORMAT,
        "backbone_sha256": backbone.sha256,
        "k": str(backbone.split),
        "rank": str(weights.shape.rank),
        "places": ",".join(weights.places),
        "labels": "\n".join(labels),
        "domain": domain,
        "created_by": created_by,
        "task": task,
    }
