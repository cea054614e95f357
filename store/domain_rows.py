"""The domain tree in the catalogue: the nodes, and what each of them knows for each backbone."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

from sqlite_utils import Database

from store.connections import Connections
from store.errors import Exists, InUse
from store.node_rows import KnowledgeRow, NodeRow, row_of
from store.rows import DomainRow
from store.rowset import RowSet, TableKind

DOMAINS = TableKind(
    table="domains",
    key=("name",),
    noun="domain",
    remedy="hmi domain ls lists them.",
    sorts={"name": "name"},
)


KNOWLEDGE = TableKind(
    table="knowledge",
    key=("domain", "backbone"),
    noun="knowledge",
    remedy="hmi domain rebuild builds it.",
    sorts={},
)


class DomainChanges(TypedDict, total=False):
    parent: str
    corpus_bytes: int
    corpus_lines: int
    policy: dict[str, Any]
    epoch: int
    state: str
    encoder: str | None
    params: dict[str, Any]


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


_OF_BACKBONE = "select * from knowledge where domain = ? and backbone = ?"


class DomainRows:
    """Methods that take a `backbone` read or change what is known for it; "" is the one that a
    catalogue from before backbones were told apart did not name."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._nodes = RowSet(connections, DOMAINS, NodeRow)
        self._known = RowSet(connections, KNOWLEDGE, KnowledgeRow)

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
                self._insert(db, [row])
            except sqlite3.IntegrityError:
                raise DOMAINS.missing((str(row.parent),)) from None

    def get(self, name: str, backbone: str = "") -> DomainRow:
        """NotFound."""
        known = self._known.where("domain = ? and backbone = ?", (name, backbone))
        return row_of(self._nodes.get((name,)), known, backbone)

    def all(self, backbone: str = "") -> list[DomainRow]:
        """Every node, depth first: a parent before its children, children by name."""
        known = {row.domain: row for row in self._known.where("backbone = ?", (backbone,))}
        children: dict[str | None, list[DomainRow]] = defaultdict(list)
        for node in self._nodes.where("true order by name desc"):
            found = known.get(node.name)
            children[node.parent].append(row_of(node, [found] if found else [], backbone))
        return list(_depth_first(children))

    def known(self, name: str | None = None) -> list[DomainRow]:
        """What each node, or the one called `name`, knows for each backbone it knows anything for;
        no row for one that knows nothing."""
        where = "true" if name is None else "domain = ?"
        found = self._known.where(f"{where} order by domain, backbone", [name] if name else [])
        nodes = {node.name: node for node in self._nodes.where("true")}
        # One that is removed right now knows nothing more.
        return [
            row_of(nodes[row.domain], [row], row.backbone) for row in found if row.domain in nodes
        ]

    def next_epoch(self, name: str) -> int:
        """The number of the epoch that a node would publish next, for whatever backbone."""
        sql = "select coalesce(max(epoch), 0) + 1 from knowledge where domain = ?"
        return int(self._connections.value(sql, [name]))

    def change(self, name: str, backbone: str = "", **changes: Unpack[DomainChanges]) -> DomainRow:
        """NotFound, also for a parent that is not there; InUse for a parent below the node, or for
        any parent of the root."""
        of_node = {key: value for key, value in changes.items() if key in self._nodes.columns.names}
        learnt = {key: value for key, value in changes.items() if key not in of_node}
        with self._connections.writing() as db:
            node = self._nodes.read(db, (name,))
            if "parent" in changes:
                _check_move(db, node, changes["parent"])
            if of_node:
                node = self._nodes.change(db, (name,), of_node)
            if learnt:
                nothing = KnowledgeRow(name, backbone)
                self._known.insert(db, [nothing], ignore=True)
                self._known.change(db, (name, backbone), learnt)
            known = list(db.query(_OF_BACKBONE, [name, backbone]))
            return row_of(node, map(self._known.columns.row, known), backbone)

    def claim(self, name: str, backbone: str) -> None:
        """What `name` knows for a backbone that nobody named was `backbone`'s; what it knows for
        that one already stays instead."""
        with self._connections.writing() as db:
            key = [backbone, name]
            db.execute(
                "update or ignore knowledge set backbone = ? where domain = ? and backbone = ''",
                key,
            )
            db.execute("delete from knowledge where domain = ? and backbone = ''", [name])
            db.execute("update epochs set backbone = ? where domain = ? and backbone = ''", key)

    def forget(self, backbone: str) -> list[DomainRow]:
        """Nothing is known for a backbone any more, and of none of its epochs; what was."""
        was = [row for row in self.known() if row.backbone == backbone]
        with self._connections.writing() as db:
            for table in ("knowledge", "epochs"):
                db.execute(f"delete from {table} where backbone = ?", [backbone])
        return was

    def mend(self, root: DomainRow) -> list[str]:
        """Make one tree of what is there, for start-up: `root` if there is none, and below it
        whatever hangs from nothing or in a ring. Returns the names of the nodes that had to be
        moved; what hung below them still does.
        """
        with self._connections.writing() as db:
            if not any(db.query("select 1 from domains where name = ?", [root.name])):
                self._insert(db, [root])
            above_root = "update domains set parent = null where name = ? and parent is not null"
            moved = [root.name] if db.execute(above_root, [root.name]).rowcount else []
            while lost := {row["name"]: row["parent"] for row in db.query(_LOST, [root.name])}:
                top = _top_of(lost)
                db.execute("update domains set parent = ? where name = ?", [root.name, top])
                moved.append(top)
            return moved

    def remove(self, name: str) -> NodeRow:
        """Remove a node; its children and its vPLMs go to its parent in the same transaction.

        Returns what it was. NotFound; InUse for the root.
        """
        with self._connections.writing() as db:
            row = self._nodes.read(db, (name,))
            if row.parent is None:
                raise InUse(
                    f'The root domain "{name}" cannot be removed.',
                    remedy="Remove the domains below it, or rebuild it with another corpus.",
                )
            db.execute("update domains set parent = ? where parent = ?", [row.parent, name])
            db.execute("update vplms set domain = ? where domain = ?", [row.parent, name])
            db.execute("delete from epochs where domain = ?", [name])
            db.execute("delete from knowledge where domain = ?", [name])
            return self._nodes.remove(db, (name,))

    def _insert(self, db: Database, rows: list[DomainRow]) -> None:
        self._nodes.insert(db, [NodeRow.of(row) for row in rows])
        known = (KnowledgeRow.of(row) for row in rows)
        self._known.insert(db, [row for row in known if row.says_something])


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


def _check_move(db: Database, row: NodeRow, parent: str) -> None:
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
