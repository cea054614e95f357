"""Rows of an upload with their fields by name: JSON lines, or CSV with a line of names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from engine.errors import BadInput
from engine.training.upload import ChunkReader, Faults

Fields = dict[str, object]


def lines_of(chunks: Iterable[bytes], newline: str = "") -> io.TextIOWrapper:
    """Bytes as they come, as lines of text."""
    raw: Any = ChunkReader(chunks)
    return io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8-sig", newline=newline)


def records(
    stream: io.TextIOWrapper,
    format: Literal["jsonl", "csv"],
    columns: tuple[str, ...],
    faults: Faults,
) -> Iterator[tuple[int, Fields]]:
    """(line number, fields) of every row; those that are none go to `faults`. BadInput if the first
    row lacks one of `columns`."""
    return _of_csv(stream, columns) if format == "csv" else _of_jsonl(stream, columns, faults)


def not_utf8(error: UnicodeDecodeError) -> BadInput:
    return BadInput(
        f"The dataset is not UTF-8 text: {error}.",
        remedy="Convert it to UTF-8 (iconv -t UTF-8) and send it again.",
        code="not_utf8",
    )


def _of_jsonl(
    stream: io.TextIOWrapper, columns: tuple[str, ...], faults: Faults
) -> Iterator[tuple[int, Fields]]:
    first = True
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.add(number, f"not JSON ({error})")
            continue
        if not isinstance(row, dict):
            faults.add(number, "not a JSON object")
            continue
        if first:
            _check_columns(columns, list(row))
            first = False
        yield number, row


def _of_csv(stream: io.TextIOWrapper, columns: tuple[str, ...]) -> Iterator[tuple[int, Fields]]:
    try:
        rows = csv.DictReader(stream, strict=True)
        _check_columns(columns, list(rows.fieldnames or []))
        for row in rows:
            yield rows.line_num, dict(row)
    except csv.Error as error:
        raise BadInput(
            f"The dataset is not CSV: {error}.",
            remedy="Check its quotes and separators (comma), or send JSONL.",
            code="bad_csv",
        ) from error


def _check_columns(wanted: tuple[str, ...], have: list[str]) -> None:
    for column in wanted:
        if column not in have:
            raise BadInput(
                f"The dataset has no column {column!r}; it has {', '.join(have) or 'none'}.",
                remedy="Name the columns with --text, --label and, for pairs, --text-pair.",
                code="missing_column",
            )
