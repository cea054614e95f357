"""Whose key it is: one look-up in memory a call, none in the catalogue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.caller import Caller
from store.catalogue import Catalogue
from store.key_rows import digest_of
from store.rows import KeyRow


class KeyRing:
    """Follows the catalogue; whoever changes keys there says so here. Thread-safe."""

    def __init__(self, catalogue: Catalogue, clock: Callable[[], float] = time.time) -> None:
        self._catalogue, self._clock = catalogue, clock
        self._secret = catalogue.keys.secret()
        self._lock = threading.Lock()
        self._rows: dict[str, KeyRow] = {}
        self._used: dict[str, float] = {}
        self.follow()

    def follow(self) -> None:
        """What the catalogue holds now is what opens from now on."""
        with self._lock:
            self._rows = {row.digest: row for row in self._catalogue.keys.all()}
            known = {row.id for row in self._rows.values()}
            # A copy, for keys are used for the first time meanwhile.
            self._used = {key: at for key, at in self._used.copy().items() if key in known}

    def digest(self, key: str) -> str:
        return digest_of(self._secret, key)

    def caller(self, key: str, peer: str) -> Caller | None:
        """Who it is that calls from `peer` with that key; None if it opens nothing, or no more.

        It is found by its digest, which nobody outside can choose, so how long that takes tells
        nothing of any key.
        """
        row, now = self._rows.get(self.digest(key)), self._clock()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            return None
        self._used[row.id] = now
        return Caller(row.tenant or None, row.id, frozenset(row.scopes), peer)

    def last_used(self, id: str) -> float | None:
        """Unix seconds, since this ring was made."""
        return self._used.get(id)

    @property
    def empty(self) -> bool:
        """Whether no key opens anything."""
        now = self._clock()
        return not any(
            row.expires_at is None or row.expires_at > now for row in self._rows.values()
        )
