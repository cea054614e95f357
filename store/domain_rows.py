"""The domain tree in the catalogue."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

from sqlite_utils import Database

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
    parent: str
    epoch: int
    state: str
    encoder: str | None
    corpus_bytes: int
    corpus_lines: int
    params: dict[str, Any]
    policy: dict[str, Any]


_ABOVE = """
    with recursive above(name, parent) as (
        select name, parent from domains where name = ?
        union
        select domains.name, domains.parent from domains join above on domains.name = above.parent
    )
    select name from above
"""
"""A node and all its ancestors; `union` ends it even where they form a ring."""

_LOST = """
    with recursive tree(name) as (
        select ?
        union
        select domains.name from domains join tree on domains.parent = tree.name
    )
    select name, parent from domains where name not in tree order by name
"""
"""The nodes that do not hang, over any number of others, from a given one."""


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
        """NotFound, also for a parent that is not there; InUse for a parent below the node, or for
        any parent of the root."""
        with self._connections.writing() as db:
            if "parent" in changes:
                _check_move(db, self._rows.read(db, (name,)), changes["parent"])
            return self._rows.change(db, (name,), changes)

    def mend(self, root: DomainRow) -> list[str]:
        """Make one tree of what is there, for start-up: `root` if there is none, and below it
        whatever hangs from nothing or in a ring. Returns the names of the nodes that had to be
        moved; what hung below them still does.
        """
        with self._connections.writing() as db:
            if not any(db.query("select 1 from domains where name = ?", [root.name])):
                self._rows.insert(db, [root])
            above_root = "update domains set parent = null where name = ? and parent is not null"
            moved = [root.name] if db.execute(above_root, [root.name]).rowcount else []
            while lost := {row["name"]: row["parent"] for row in db.query(_LOST, [root.name])}:
                top = _top_of(lost)
                db.execute("update domains set parent = ? where name = ?", [root.name, top])
                moved.append(top)
            return moved

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
            db.execute("delete from epochs where domain = ?", [name])
            return self._rows.remove(db, (name,))


def _top_of(lost: dict[str, str | None]) -> str:
    """Of nodes with their parents: one whose parent is not among them, or else one of a ring."""
    at = next(iter(lost))
    seen: set[str] = set()
    while at not in seen:
        seen.add(at)
        above = lost[at]
        if above is None or above not in lost:
            break
        at = above
    return at


def _check_move(db: Database, row: DomainRow, parent: str) -> None:
    if row.parent is None:
        raise InUse(
            f'The root domain "{row.name}" cannot be moved.',
            remedy="Move the domains below it.",
        )
    above = [found["name"] for found in db.query(_ABOVE, [parent])]
    if not above:
        raise DOMAINS.missing((parent,))
    if row.name == parent:
        raise InUse(
            f'Domain "{row.name}" cannot hang below itself.', remedy="Choose another parent."
        )
    if row.name in above:
        raise InUse(
            f'Domain "{parent}" hangs below "{row.name}", which therefore cannot hang below it.',
            remedy=f'Move "{parent}" elsewhere first.',
        )


def _depth_first(children: dict[str | None, list[DomainRow]]) -> Iterator[DomainRow]:
    # A stack, not recursion: a tree may be deeper than Python's call stack.
    waiting = list(children[None])
    while waiting:
        row = waiting.pop()
        yield row
        waiting.extend(children[row.name])
