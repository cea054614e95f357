"""Training and rebuild jobs in the catalogue."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, TypedDict, Unpack

from store.connections import Connections
from store.rows import JobRow
from store.rowset import Filter, RowSet, TableKind

JOBS = TableKind(
    table="jobs",
    key=("id",),
    noun="job",
    remedy="hmi job ls lists them.",
    sorts={"created_at": "created_at"},
)


class JobChanges(TypedDict, total=False):
    state: str
    params: dict[str, Any]
    progress: float
    message: str
    error: str | None
    result: dict[str, Any]
    loss: list[tuple[int, float]]
    accuracy: list[tuple[int, float]]
    started_at: float | None
    finished_at: float | None


class JobRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, JOBS, JobRow)

    def add(self, row: JobRow) -> None:
        """Exists."""
        with self._connections.writing() as db:
            self._rows.insert(db, [row])

    def get(self, job: str) -> JobRow:
        """NotFound."""
        return self._rows.get((job,))

    def page(
        self,
        state: str | None = None,
        limit: int = 100,
        offset: int = 0,
        tenant: str | None = None,
    ) -> tuple[list[JobRow], int]:
        """Jobs, newest first, in one state or any, of one tenant's vPLMs or all, and how many
        there are."""
        filters: list[Filter] = [] if state is None else [("state = ?", state)]
        if tenant is not None:
            # A domain's name has no slash, so what has one is a vPLM.
            filters.append(("substr(subject, 1, instr(subject, '/')) = ?", f"{tenant}/"))
        return self._rows.page(filters, "-created_at", limit, offset)

    def live(self, type: str, subject: str) -> list[JobRow]:
        """Jobs of a type on a subject that wait or run, oldest first."""
        return self._rows.where(
            "type = ? and subject = ? and state in ('queued', 'running') order by created_at",
            [type, subject],
        )

    def reading(self, tenant: str, dataset: str) -> list[JobRow]:
        """Trainings of a tenant's vPLMs on one of its datasets that wait or run, oldest first."""
        return self._rows.where(
            "type = 'train' and substr(subject, 1, ?) = ? "
            "and json_extract(params, '$.dataset') = ? "
            "and state in ('queued', 'running') order by created_at",
            [len(tenant) + 1, f"{tenant}/", dataset],
        )

    def training_seconds(self, since: float) -> dict[str, float]:
        """Seconds that trainings begun after `since` took, by tenant; failed ones do not count."""
        sql = """
            select substr(subject, 1, instr(subject, '/') - 1) as tenant,
                   sum(coalesce(finished_at, ?) - started_at) as seconds
            from jobs where type = 'train' and started_at >= ? and state <> 'failed'
            group by tenant
        """
        found = self._connections.query(sql, [time.time(), since])
        return {row["tenant"]: row["seconds"] for row in found}

    def change(self, job: str, **changes: Unpack[JobChanges]) -> JobRow:
        """NotFound."""
        with self._connections.writing() as db:
            return self._rows.change(db, (job,), changes)

    def unfinished(self) -> list[JobRow]:
        """Jobs that wait or run, oldest first."""
        return self._rows.where("state in ('queued', 'running') order by created_at", [])

    def fail_interrupted(self, message: str, but: Collection[str] = ()) -> int:
        """Fail every job that was queued or running, those with the ids `but` apart, for the
        reason `message`; how many."""
        others = f"and id not in ({', '.join('?' * len(but))})" if but else ""
        with self._connections.writing() as db:
            cursor = db.execute(
                "update jobs set state = 'failed', error = ?, finished_at = ? "
                f"where state in ('queued', 'running') {others}",
                [message, time.time(), *but],
            )
            return cursor.rowcount
