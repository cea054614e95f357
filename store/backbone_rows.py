"""Imported backbones in the catalogue, by name and version."""

from __future__ import annotations

from dataclasses import replace

from store.connections import Connections
from store.errors import Exists, NotFound
from store.rows import BackboneRow
from store.rowset import RowSet, TableKind

BACKBONES = TableKind(
    table="backbones",
    key=("name", "version"),
    noun="backbone",
    remedy="hmi backbone ls lists them.",
    sorts={"name": "name"},
)

_STARTERS = """
    select count(*) from starters join adapters on adapters.id = starters.adapter
    where json_extract(adapters.metadata, '$.backbone_sha256') = ?
"""


class BackboneRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, BACKBONES, BackboneRow)

    def add(self, row: BackboneRow) -> BackboneRow:
        """Enter it as the next version of its name, whatever version it says; as entered."""
        with self._connections.writing() as db:
            sql = "select max(version) from backbones where name = ?"
            newest = db.execute(sql, [row.name]).fetchone()[0]
            entered = replace(row, version=(newest or 0) + 1)
            self._rows.insert(db, [entered])
        return entered

    def all(self) -> list[BackboneRow]:
        """By name, the newest version first."""
        return self._rows.where("true order by name, version desc")

    def get(self, name: str, version: int | None = None) -> BackboneRow:
        """That version, or the newest. NotFound."""
        for row in self.all():
            if row.name == name and version in (None, row.version):
                return row
        asked = name if version is None else f"{name}:{version}"
        raise NotFound(f'There is no backbone "{asked}".', remedy=BACKBONES.remedy)

    def check_new(self, sha256: str) -> None:
        """Exists, naming the one that has the same weights."""
        for twin in self._rows.where("sha256 = ?", [sha256]):
            raise Exists(
                f'These weights are there already, as "{twin.id}".',
                remedy="Use that, or remove it first (hmi backbone rm).",
            )

    def remove(self, row: BackboneRow) -> None:
        """Its files are removed after this."""
        with self._connections.writing() as db:
            db.execute(
                "delete from backbones where name = ? and version = ?", [row.name, row.version]
            )

    def users(self, sha256: str) -> int:
        """vPLMs of the backbone with these weights."""
        sql = "select count(*) from vplms where backbone = ?"
        return int(self._connections.value(sql, [sha256]))

    def pinned(self, sha256: str) -> list[str]:
        """Adapters of its pinned vPLMs, which are to stay in memory."""
        sql = "select distinct adapter from vplms where backbone = ? and pinned"
        return [row["adapter"] for row in self._connections.query(sql, [sha256])]

    def starters(self, sha256: str) -> int:
        """Starting points whose adapter was made for it."""
        return int(self._connections.value(_STARTERS, [sha256]))
