"""What all of the catalogue's tables have in common: find by key, page, insert, change, remove."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from sqlite_utils import Database
from sqlite_utils.db import NotFoundError

from store.columns import Columns, Row
from store.connections import Connections
from store.errors import BadInput, Exists, NotFound

Key = tuple[str, ...]
Filter = tuple[str, object]
"""An SQL condition with one `?`, and its value."""


@dataclass(frozen=True, slots=True)
class TableKind:
    """One table: its key columns and how people speak of its rows.

    `sorts` maps what a user may sort by to SQL; `remedy` is what to do when one is missing.
    """

    table: str
    key: Key
    noun: str
    remedy: str
    sorts: Mapping[str, str]

    def called(self, key: Key) -> str:
        return f'{self.noun} "{"/".join(key)}"'

    def missing(self, key: Key) -> NotFound:
        return NotFound(f"There is no {self.called(key)}.", remedy=self.remedy)

    def taken(self, key: Key) -> Exists:
        called = self.called(key)
        # "vPLM" keeps its small letter, also at the start of a sentence.
        subject = called if called.startswith("vPLM") else called[0].upper() + called[1:]
        return Exists(
            f"{subject} exists already.",
            remedy="Choose another name, or remove the old one first.",
        )


class RowSet(Generic[Row]):
    """Rows of one table as values of one dataclass.

    Methods that take a `db` work inside the caller's transaction.
    """

    def __init__(self, connections: Connections, kind: TableKind, row: type[Row]) -> None:
        self.connections = connections
        self.kind = kind
        self.columns = Columns(row)
        self._is_key = " and ".join(f'"{column}" = ?' for column in kind.key)
        self._key_order = ", ".join(f'"{column}"' for column in kind.key)

    def get(self, key: Key) -> Row:
        """NotFound."""
        found = self.where(self._is_key, key)
        if not found:
            raise self.kind.missing(key)
        return found[0]

    def read(self, db: Database, key: Key) -> Row:
        """As `get`, as the transaction sees it."""
        sql = f'select * from "{self.kind.table}" where {self._is_key}'
        for columns in db.query(sql, key):
            return self.columns.row(columns)
        raise self.kind.missing(key)

    def where(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Rows that satisfy `sql`, which may end in an order and a limit."""
        found = self.connections.query(f'select * from "{self.kind.table}" where {sql}', parameters)
        return [self.columns.row(columns) for columns in found]

    def count(self, filters: Sequence[Filter] = ()) -> int:
        condition, values = _all_of(filters)
        return int(
            self.connections.value(
                f'select count(*) from "{self.kind.table}" where {condition}', values
            )
        )

    def page(
        self, filters: Sequence[Filter], sort: str | None, limit: int, offset: int
    ) -> tuple[list[Row], int]:
        """Rows `offset` to `offset + limit` in order of `sort`, and how many there are in all.

        `sort` is one of the kind's sorts, with a leading '-' for descending. BadInput if not.
        """
        condition, values = _all_of(filters)
        order = self._order(sort)
        rows = self.where(
            f"{condition} order by {order} limit ? offset ?", (*values, limit, offset)
        )
        return rows, self.count(filters)

    def insert(self, db: Database, rows: Sequence[Row], *, ignore: bool = False) -> None:
        """Insert all or none; with `ignore`, rows whose key is taken are left as they were.

        Exists names the first row whose key is taken. Other broken constraints pass as
        sqlite3.IntegrityError, for the caller knows what the row refers to.
        """
        if not rows:
            return
        try:
            with db.atomic():
                db.table(self.kind.table).insert_all(map(self.columns.of, rows), ignore=ignore)
        except sqlite3.IntegrityError:
            taken = self._first_taken(db, rows)
            if taken is None:
                raise
            raise self.kind.taken(taken) from None

    def change(self, db: Database, key: Key, changes: Mapping[str, object]) -> Row:
        """Set some fields of one row; the row as it is now. NotFound."""
        columns = self.columns.encode(changes)
        renamed = set(columns) & set(self.kind.key)
        if renamed:
            raise TypeError(f"{', '.join(sorted(renamed))} names the row and cannot be changed")
        try:
            db.table(self.kind.table).update(key, columns)
        except NotFoundError:
            raise self.kind.missing(key) from None
        return self.read(db, key)

    def remove(self, db: Database, key: Key) -> Row:
        """Delete one row; what it was. NotFound."""
        row = self.read(db, key)
        db.table(self.kind.table).delete(key)
        return row

    def _order(self, sort: str | None) -> str:
        if not sort:
            return self._key_order
        name = sort.removeprefix("-")
        expression = self.kind.sorts.get(name)
        if expression is None:
            raise BadInput(
                f"A list of {self.kind.table} cannot be sorted by {name!r}.",
                remedy=f"Sort by one of: {', '.join(self.kind.sorts)}; prefix '-' for descending.",
            )
        direction = "desc" if sort.startswith("-") else "asc"
        # The key settles ties, so that pages neither repeat nor skip a row.
        return f"{expression} {direction}, {self._key_order}"

    def _first_taken(self, db: Database, rows: Sequence[Row]) -> Key | None:
        seen: set[Key] = set()
        sql = f'select 1 from "{self.kind.table}" where {self._is_key}'
        for row in rows:
            key = tuple(getattr(row, column) for column in self.kind.key)
            if key in seen or db.execute(sql, key).fetchone() is not None:
                return key
            seen.add(key)
        return None


def containing(expression: str, q: str) -> list[Filter]:
    """The filter of a search: `q` anywhere in `expression`, whatever its case."""
    return [(f"instr(lower({expression}), lower(?)) > 0", q)] if q else []


def scattered(expression: str, q: str) -> list[Filter]:
    """The filter of a loose search: the characters of `q` in that order, whatever lies between."""
    parts = (f"\\{each}" if each in "%_\\" else each for each in q.lower())
    return [(f"lower({expression}) like ? escape '\\'", "%" + "%".join(parts) + "%")] if q else []


def absent(db: Database, kind: TableKind, keys: Sequence[str]) -> NotFound | None:
    """The error for the first of `keys` that has no row in `kind`'s table, if any."""
    for key in dict.fromkeys(keys):
        sql = f'select 1 from "{kind.table}" where "{kind.key[0]}" = ?'
        if db.execute(sql, [key]).fetchone() is None:
            return kind.missing((key,))
    return None


def _all_of(filters: Sequence[Filter]) -> tuple[str, list[Any]]:
    if not filters:
        return "true", []
    return " and ".join(sql for sql, _ in filters), [value for _, value in filters]
