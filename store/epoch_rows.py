"""The epochs that domains have published: what is kept of a table when its files are gone."""

from __future__ import annotations

from store.connections import Connections
from store.rows import EpochRow
from store.rowset import RowSet, TableKind

KEPT = 50
"""Epochs of a domain that are remembered."""

EPOCHS = TableKind(
    table="epochs",
    key=("domain", "epoch"),
    noun="epoch",
    remedy="hmi domain epochs lists them.",
    sorts={"epoch": "epoch"},
)


class EpochRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, EPOCHS, EpochRow)

    def publish(self, row: EpochRow) -> None:
        """Enter an epoch in place of the same backbone's before, which is replaced at the same
        instant."""
        with self._connections.writing() as db:
            db.execute(
                "update epochs set replaced_at = ? "
                "where domain = ? and backbone = ? and replaced_at is null",
                [row.published_at, row.domain, row.backbone],
            )
            db.execute(
                "delete from epochs where domain = ? and (epoch >= ? or epoch <= ?)",
                [row.domain, row.epoch, row.epoch - KEPT],
            )
            self._rows.insert(db, [row])

    def count(self, domain: str, epoch: int, hits: int, lookups: int) -> None:
        """So many more lookups, of which `hits` hit. Nothing happens if the epoch is not known."""
        with self._connections.writing() as db:
            db.execute(
                "update epochs set hits = hits + ?, lookups = lookups + ? "
                "where domain = ? and epoch = ?",
                [hits, lookups, domain, epoch],
            )

    def of(self, domain: str, backbone: str = "") -> list[EpochRow]:
        """Those for a backbone, the newest first."""
        sql = "domain = ? and backbone = ? order by epoch desc"
        return self._rows.where(sql, [domain, backbone])

    def published(self, backbone: str = "") -> dict[str, float]:
        """When each domain's epoch that serves the backbone was published."""
        sql = "select domain, published_at from epochs where backbone = ? and replaced_at is null"
        found = self._connections.query(sql, [backbone])
        return {row["domain"]: row["published_at"] for row in found}
