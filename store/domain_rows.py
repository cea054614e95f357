"""The domain tree in the catalogue."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

from store.connections import Connections
from store.errors import Exists, InUse
from store.rows import DomainRow
from store.rowset import RowSet, TableKind

DOMAINS = TableKind(
    table="domains",
    key=("name",),
    noun="domain",
    remedy="hmi domain ls lists them.",
    sorts={"name": "name"},
)


class DomainChanges(TypedDict, total=False):
    epoch: int
    state: str
    encoder: str | None
    corpus_bytes: int
    corpus_lines: int
    params: dict[str, Any]


class DomainRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, DOMAINS, DomainRow)

    def add(self, row: DomainRow) -> None:
        """Exists, also for a second root; NotFound for a parent that is not there, or itself."""
        with self._connections.writing() as db:
            if row.parent is None:
                for other in db.query("select name from domains where parent is null"):
                    raise Exists(
                        f'The tree has its root already, "{other["name"]}".',
                        remedy=f'Give "{row.name}" a parent.',
                    )
            elif row.parent == row.name:
                # The foreign key would hold: the row refers to itself, and to no tree.
                raise DOMAINS.missing((row.parent,))
            try:
                self._rows.insert(db, [row])
            except sqlite3.IntegrityError:
                raise DOMAINS.missing((str(row.parent),)) from None

    def get(self, name: str) -> DomainRow:
        """NotFound."""
        return self._rows.get((name,))

    def all(self) -> list[DomainRow]:
        """Every node, depth first: a parent before its children, children by name."""
        children: dict[str | None, list[DomainRow]] = defaultdict(list)
        for row in self._rows.where("true order by name desc"):
            children[row.parent].append(row)
        return list(_depth_first(children))

    def change(self, name: str, **changes: Unpack[DomainChanges]) -> DomainRow:
        """NotFound."""
        with self._connections.writing() as db:
            return self._rows.change(db, (name,), changes)

    def remove(self, name: str) -> DomainRow:
        """Remove a node; its children and its vPLMs go to its parent in the same transaction.

        Returns what it was. NotFound; InUse for the root.
        """
        with self._connections.writing() as db:
            row = self._rows.read(db, (name,))
            if row.parent is None:
                raise InUse(
                    f'The root domain "{name}" cannot be removed.',
                    remedy="Remove the domains below it, or rebuild it with another corpus.",
                )
            db.execute("update domains set parent = ? where parent = ?", [row.parent, name])
            db.execute("update vplms set domain = ? where domain = ?", [row.parent, name])
            return self._rows.remove(db, (name,))


def _depth_first(children: dict[str | None, list[DomainRow]]) -> Iterator[DomainRow]:
    # A stack, not recursion: a tree may be deeper than Python's call stack.
    waiting = list(children[None])
    while waiting:
        row = waiting.pop()
        yield row
        waiting.extend(children[row.name])
