"""What the appliance answers about the disk."""

from __future__ import annotations

from engine.schema import Collected, Stock, Storage
from tests.engine.api.scripted.script import Script

STORAGE = Storage(
    path="/home/data",
    data=[Stock(kind="adapters", files=2, bytes=20, garbage_files=1, garbage_bytes=5)],
    bytes=20,
    garbage_bytes=5,
    unused_adapters=1,
    unused_adapter_bytes=10,
    disk_bytes=100,
    disk_free_bytes=60,
)


class StorageAnswers(Script):
    def storage(self) -> Storage:
        self._do("storage")
        return STORAGE

    def collect_garbage(self) -> Collected:
        self._do("collect_garbage")
        return Collected(files=1, bytes=5, left_bytes=0)
