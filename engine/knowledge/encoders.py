"""Which n-gram encoder serves a node: its own, or the nearest ancestor's."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import HmiError
from engine.knowledge.hplm import Hplm
from engine.model.bridge import Bridge
from engine.model.ngram_encoder import NgramEncoder
from store.errors import StoreError

log = logging.getLogger(__name__)

OwnEncoder = Callable[[Bridge], NgramEncoder]
"""Loads a node's own encoder, which must have been trained below the bridge it is given."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownEncoder:
    """`number` is never used twice while the process lives: caches key rows by it."""

    encoder: NgramEncoder
    fingerprint: str
    number: int


class Encoders:
    """The general encoder and the nodes' own, each loaded once."""

    def __init__(self, general: Hplm, read: Callable[[str], OwnEncoder] | None) -> None:
        self._read = read
        self._numbers = itertools.count()
        self.put_general(general)

    def put_general(self, general: Hplm) -> None:
        """Another root: the nodes' own encoders have to prove anew that they fit."""
        self.general = general
        self._root = self._known(general.encoder)
        self._own: dict[str, KnownEncoder | None] = {}

    def of(self, lineage: list[str]) -> KnownEncoder:
        """The first of the blobs `lineage` that can be used, else the general one."""
        for blob in lineage:
            if blob not in self._own:
                self._own[blob] = self._load(blob)
            known = self._own[blob]
            if known is not None:
                return known
        return self._root

    def _load(self, blob: str) -> KnownEncoder | None:
        if self._read is None:
            return None
        try:
            return self._known(self._read(blob)(self.general.bridge))
        except (StoreError, HmiError) as error:
            # Rows of the inherited encoder are right, if less fitting; its table shows as stale.
            log.warning("encoder %s is not used: %s", blob[:12], error)
            return None

    def _known(self, encoder: NgramEncoder) -> KnownEncoder:
        return KnownEncoder(encoder, encoder.fingerprint(), next(self._numbers))
