"""What nobody uses any more leaves memory and the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from engine.memory.tiers import AdapterTiers
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.errors import NotFound


class Leftovers:
    """Whoever calls holds what keeps vPLMs from changing (`Core.changing`)."""

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        tiers: Callable[[], Iterable[AdapterTiers]],
    ) -> None:
        """`tiers`: of every backbone that is loaded."""
        self._catalogue, self._blobs, self._tiers = catalogue, blobs, tiers

    def discard_if_unused(self, adapter: str) -> None:
        """A vPLM has let go of an adapter: it goes, unless a version or a starting point uses it,
        and is pinned no more unless a vPLM that answers with it is."""
        if not self._catalogue.adapters.used(adapter):
            self.discard(adapter)
            return
        pinned = self._catalogue.vplms.pinned(adapter)
        for tiers in self._tiers():
            tiers.pin(adapter, pinned=pinned)

    def discard(self, adapter: str) -> None:
        """Remove an adapter that is known to have no users."""
        self._catalogue.adapters.remove(adapter)
        self.forget(adapter)

    def forget(self, blob: str) -> None:
        """Take what the catalogue does not know, an adapter or an encoder, out of memory and off
        the disk."""
        for tiers in self._tiers():
            tiers.forget(blob)
        # Its file may have been lost already; gone is gone.
        with contextlib.suppress(NotFound):
            self._blobs.delete(blob, self._catalogue.knows_blob)
