"""Which hPLM serves a node: its own, or the nearest ancestor's."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import HmiError
from engine.knowledge.hplm import Hplm
from store.errors import StoreError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class KnownHplm:
    """`fingerprint` is the encoder's, which alone decides rows; `number` is never used twice while
    the process lives: caches key rows by it."""

    hplm: Hplm
    fingerprint: str
    number: int


class Hplms:
    """The general one and the nodes' own, each loaded once. One thread at a time changes them;
    any may ask which are `loaded`."""

    def __init__(self, general: Hplm, read: Callable[[str], Hplm] | None) -> None:
        """`read` loads a node's own by blob id."""
        self._read = read
        self._numbers = itertools.count()
        self._own: dict[str, KnownHplm | None] = {}
        self.put_general(general)

    def put_general(self, general: Hplm) -> None:
        """Another root."""
        self.general = general
        self._root = self._known(general)

    def of(self, lineage: list[str]) -> KnownHplm:
        """The first of the blobs `lineage` that can be used, else the general one."""
        for blob in lineage:
            if blob not in self._own:
                self._own[blob] = self._load(blob)
            known = self._own[blob]
            if known is not None:
                return known
        return self._root

    def keep(self, blobs: set[str]) -> None:
        """Let go of all own ones but `blobs`; whoever serves with another holds it itself."""
        self._own = {blob: known for blob, known in self._own.items() if blob in blobs}

    def loaded(self) -> list[Hplm]:
        """The general one and the nodes' own."""
        own = list(self._own.values())
        return [self.general, *(known.hplm for known in own if known is not None)]

    def _load(self, blob: str) -> KnownHplm | None:
        if self._read is None:
            return None
        try:
            return self._known(self._read(blob))
        except (StoreError, HmiError) as error:
            # Rows of the inherited encoder are right, if less fitting; its table shows as stale.
            log.warning("encoder %s is not used: %s", blob[:12], error)
            return None

    def _known(self, hplm: Hplm) -> KnownHplm:
        return KnownHplm(hplm, hplm.encoder.fingerprint(), next(self._numbers))
