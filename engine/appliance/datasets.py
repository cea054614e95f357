"""Calls about datasets: received as they come, counted, kept under the quota, shown, removed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.models import task_name
from engine.appliance.quota import Allowance
from engine.errors import Conflict
from engine.model.backbone import Backbone
from engine.model.reading import Text, read_texts
from engine.schema import Dataset, DatasetPage
from engine.serving.work import TaskName
from engine.training.census import Census
from engine.training.data import Format, read_rows
from engine.training.gzipped import plain
from engine.training.relabel import relabelled
from engine.training.schedule import held_out_rows
from store.dataset_files import Example
from store.rows import DatasetRow

_MARKS = 2
"""Tokens that the tokenizer puts round a text."""
NO_NAMES: Mapping[str, str] = MappingProxyType({})


class DatasetCalls(Calls):
    def put_dataset(
        self,
        tenant: str,
        name: str,
        chunks: Iterator[bytes],
        format: Format,
        text: str,
        label: str,
        task: TaskName = "classify",
        pair: str = "text_pair",
        names: Mapping[str, str] = NO_NAMES,
    ) -> Dataset:
        """Take a dataset, in place of one of that name; its labels are called what `names` says.
        QuotaReached, as soon as it is known, if the quota has no room; nothing of a dataset that
        is not taken stays."""
        with self._core.datasets.keeping():
            rows = read_rows(
                plain(chunks, self._core.settings.max_upload), format, text, label, task, pair
            )
            return self._put(tenant, name, relabelled(rows, names, task), task)

    def _put(
        self,
        tenant: str,
        name: str,
        rows: Iterator[Example],
        task: TaskName,
    ) -> Dataset:
        core = self._core
        allowance, replaced = Allowance.of(core.catalogue, tenant), self._bytes_of(tenant, name)
        census = Census(
            core.backbone.max_tokens - _MARKS,
            # A generator learns all of a long text, in parts.
            lambda texts: 0 if task == "generate" else _long(core.backbone, texts),
        )
        info = core.datasets.put(
            tenant,
            name,
            census.over(rows),
            lambda size: allowance.check(max(size, 1), replaced, "the dataset takes"),
        )
        try:
            counted = census.counted()
            row = DatasetRow(
                tenant,
                name,
                info.rows,
                info.labels,
                info.bytes,
                info.sha256,
                info.path_name,
                time.time(),
                counted.duplicates,
                counted.conflicts,
                counted.too_long,
                task,
            )
            old = self._enter(row)
        except BaseException:
            core.datasets.remove(info.path_name)
            raise
        if old is not None:
            core.datasets.remove(old.path_name)
        return self._dataset(row)

    def datasets(
        self, tenant: str, q: str, sort: str | None, limit: int, cursor: str | None
    ) -> DatasetPage:
        known, offset = self._core.catalogue, offset_of(cursor)
        known.tenants.get(tenant)
        rows, total = known.datasets.page(tenant, q, sort, limit, offset)
        return DatasetPage(
            data=[self._dataset(row) for row in rows],
            total=total,
            next_cursor=next_cursor(offset, len(rows), total),
        )

    def dataset(self, tenant: str, name: str) -> Dataset:
        return self._dataset(self._core.catalogue.datasets.get(tenant, name))

    def remove_dataset(self, tenant: str, name: str) -> None:
        """Conflict while a training waits for it or reads it."""
        core = self._core
        with core.changing:
            core.catalogue.datasets.get(tenant, name)
            for job in core.catalogue.jobs.reading(tenant, name):
                raise Conflict(
                    f'Job {job.id} trains "{job.subject}" on the dataset "{tenant}/{name}".',
                    remedy=f"Wait for it, or cancel it (hmi job cancel {job.id}).",
                )
            row = core.catalogue.datasets.remove(tenant, name)
        core.datasets.remove(row.path_name)

    def _enter(self, row: DatasetRow) -> DatasetRow | None:
        """What it replaces. Others may have been stored while it came in, so the quota is asked
        once more."""
        core = self._core
        with core.changing:
            allowance = Allowance.of(core.catalogue, row.tenant)
            allowance.check(row.bytes, self._bytes_of(row.tenant, row.name), "the dataset takes")
            return core.catalogue.datasets.put(row)

    def _bytes_of(self, tenant: str, name: str) -> int:
        found = self._core.catalogue.datasets.find(tenant, name)
        return 0 if found is None else found.bytes

    def _dataset(self, row: DatasetRow) -> Dataset:
        jobs = self._core.catalogue.jobs.reading(row.tenant, row.name)
        return Dataset(
            tenant=row.tenant,
            name=row.name,
            task=task_name(row.task),
            rows=row.rows,
            labels=row.labels,
            bytes=row.bytes,
            sha256=row.sha256,
            created_at=row.created_at,
            duplicates=row.duplicates,
            conflicts=row.conflicts,
            too_long=row.too_long,
            held_out=held_out_rows(
                row.labels.values() if row.task in ("classify", "pair") else [row.rows]
            ),
            jobs=[job.id for job in jobs],
        )


def _long(backbone: Backbone, texts: Sequence[Text]) -> int:
    """How many of them the backbone would cut."""
    return sum(reading.cut for reading in read_texts(backbone, texts))
