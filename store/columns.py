"""Between a row's dataclass and its columns: JSON for what SQLite has no type for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")
Column = str | int | float | None


def _pairs(text: str) -> list[tuple[int, float]]:
    return [(int(step), float(value)) for step, value in json.loads(text)]


def _strings(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


_DECODERS: dict[str, Callable[[Any], object]] = {
    "dict": json.loads,
    "QuotaLimits": json.loads,
    "list": _pairs,
    "tuple": _strings,
    "bool": bool,
}
"""By the first word of a field's annotation; other fields are stored as they are."""


class Columns(Generic[Row]):
    """Translates rows of one dataclass; column names are its field names."""

    def __init__(self, kind: type[Row]) -> None:
        self._kind = kind
        fields = dataclasses.fields(kind)  # type: ignore[arg-type]
        self.names = tuple(field.name for field in fields)
        words = {field.name: str(field.type).partition("[")[0] for field in fields}
        self._decoders = {
            name: _DECODERS[word] for name, word in words.items() if word in _DECODERS
        }

    def of(self, row: Row) -> dict[str, Column]:
        """`row` as columns."""
        return self.encode({name: getattr(row, name) for name in self.names})

    def encode(self, values: Mapping[str, object]) -> dict[str, Column]:
        """Some of a row's fields as columns. TypeError for a field that it has not."""
        unknown = set(values) - set(self.names)
        if unknown:
            raise TypeError(f"{self._kind.__name__} has no field {', '.join(sorted(unknown))}")
        return {name: _encoded(value) for name, value in values.items()}

    def row(self, columns: Mapping[str, Any]) -> Row:
        """The row that `columns` stand for."""
        values = dict(columns)
        for name, decode in self._decoders.items():
            values[name] = decode(values[name])
        return self._kind(**values)


def _encoded(value: object) -> Column:
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
