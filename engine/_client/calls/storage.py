"""Calls about the disk."""

from __future__ import annotations

from engine._client.ask import Asks
from engine._client.call import Call, reader
from engine.schema import Collected, Storage


class StorageCalls:
    @Asks
    @staticmethod
    def storage() -> Call[Storage]:
        """What takes up the disk, by kind, and what of it is garbage."""
        return Call("GET", "/v1/storage", reader(Storage), slow=True)

    @Asks
    @staticmethod
    def collect_garbage() -> Call[Collected]:
        """Remove what nothing refers to."""
        return Call("POST", "/v1/storage/collect", reader(Collected), slow=True)
