"""What the appliance answers about adapters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.schema import Adapter, AdapterCheck, AdapterPage
from tests.engine.api.scripted.transfers import Transfers

ADAPTER = Adapter(
    id="ab",
    bytes=10,
    rank=64,
    labels=2,
    tier="host",
    users=["acme/polarity"],
    created_by="random",
    created_at=1.0,
)


class AdapterAnswers(Transfers):
    def adapters(
        self, q: str, sort: str | None, limit: int, cursor: str | None, unused: bool = False
    ) -> AdapterPage:
        self._do("adapters", q, sort, limit, cursor, *([unused] if unused else []))
        return AdapterPage(data=[ADAPTER], total=1, bytes=10)

    def adapter(self, id: str) -> Adapter:
        self._do("adapter", id)
        return ADAPTER

    def import_adapter(self, chunks: Iterator[bytes]) -> Adapter:
        self._do("import_adapter")
        self._take(chunks)
        return ADAPTER

    def adapter_file(self, id: str) -> Path:
        self._do("adapter_file", id)
        return self.file

    def adapterhub_folder(self, id: str) -> bytes:
        self._do("adapterhub_folder", id)
        return b"folder"

    def import_adapterhub(self, chunks: Iterator[bytes], labels: Sequence[str]) -> Adapter:
        self._do("import_adapterhub", list(labels))
        self._take(chunks)
        return ADAPTER

    def verify_adapter(self, id: str) -> AdapterCheck:
        self._do("verify_adapter", id)
        return AdapterCheck(id=id, ok=True, detail="")

    def remove_adapter(self, id: str) -> None:
        self._do("remove_adapter", id)
