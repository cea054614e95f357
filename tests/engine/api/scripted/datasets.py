"""What the appliance answers about datasets."""

from __future__ import annotations

from collections.abc import Iterator

from engine.schema import Dataset, DatasetPage, Task
from tests.engine.api.scripted.transfers import Transfers

DATASET = Dataset(
    tenant="acme",
    name="films",
    rows=2,
    labels={"a": 1, "b": 1},
    bytes=10,
    sha256="ab",
    created_at=1.0,
    duplicates=0,
    conflicts=0,
    too_long=1,
    held_out=1,
)


class DatasetAnswers(Transfers):
    def put_dataset(
        self,
        tenant: str,
        name: str,
        chunks: Iterator[bytes],
        format: str,
        text: str,
        label: str,
        task: Task,
        pair: str,
    ) -> Dataset:
        more = () if (task, pair) == ("classify", "text_pair") else (task, pair)
        self._do("put_dataset", tenant, name, format, text, label, *more)
        self._take(chunks)
        return DATASET.model_copy(update={"name": name, "bytes": len(self.received)})

    def datasets(
        self, tenant: str, q: str, sort: str | None, limit: int, cursor: str | None
    ) -> DatasetPage:
        self._do("datasets", tenant, q, sort, limit, cursor)
        return DatasetPage(data=[DATASET], total=1)

    def dataset(self, tenant: str, name: str) -> Dataset:
        self._do("dataset", tenant, name)
        return DATASET

    def remove_dataset(self, tenant: str, name: str) -> None:
        self._do("remove_dataset", tenant, name)
