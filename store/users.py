"""Who uses which adapter, asked of many at once: a list of adapters shows the users of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol, TypeVar

from store.rowset import RowSet


class UserRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def adapter(self) -> str: ...


User = TypeVar("User", bound=UserRow)


def ids_by_adapter(rows: RowSet[User], adapters: Sequence[str], order: str) -> dict[str, list[str]]:
    """Ids of the rows that have each of `adapters`, in the order of SQL's `order`; one query."""
    found: dict[str, list[str]] = {adapter: [] for adapter in adapters}
    condition = f"adapter in (select value from json_each(?)) order by {order}"
    for row in rows.where(condition, [json.dumps(list(adapters))]):
        found[row.adapter].append(row.id)
    return found
