"""Reading an uploaded dataset: JSONL or CSV, streamed, every row checked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from engine.errors import BadInput
from engine.training.upload import ChunkReader, Faults

Format = Literal["jsonl", "csv"]


def read_rows(
    chunks: Iterable[bytes],
    format: Format,
    text: str,
    label: str,
) -> Iterator[tuple[str, str]]:
    """(text, label) of every row, from the columns so named. Raises BadInput with line numbers.

    Rows are yielded as they are read; the error for bad ones comes at the end, naming the first
    ten, so whoever stores the rows must not keep them if the iterator raises.
    """
    raw: Any = ChunkReader(chunks)
    stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8-sig", newline="")
    faults = Faults()
    columns = (text, label)
    rows = _read_csv(stream, columns) if format == "csv" else _read_jsonl(stream, columns, faults)
    try:
        for line, row in rows:
            found = _pair(row, text, label)
            if isinstance(found, str):
                faults.add(line, found)
            else:
                yield found
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The dataset is not UTF-8 text: {error}.",
            remedy="Convert it to UTF-8 (iconv -t UTF-8) and send it again.",
            code="not_utf8",
        ) from error
    faults.check()


def _read_jsonl(
    stream: io.TextIOWrapper, columns: tuple[str, str], faults: Faults
) -> Iterator[tuple[int, dict[str, object]]]:
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


def _read_csv(
    stream: io.TextIOWrapper, columns: tuple[str, str]
) -> Iterator[tuple[int, dict[str, object]]]:
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


def _check_columns(wanted: tuple[str, str], have: list[str]) -> None:
    for column in wanted:
        if column not in have:
            raise BadInput(
                f"The dataset has no column {column!r}; it has {', '.join(have) or 'none'}.",
                remedy="Name the columns with --text and --label.",
                code="missing_column",
            )


def _pair(row: dict[str, object], text: str, label: str) -> tuple[str, str] | str:
    """The row's text and label, or what is wrong with it."""
    for column in (text, label):
        if column not in row or row[column] is None:
            return f"no column {column!r} (columns: {', '.join(map(str, row)) or 'none'})"
    body, name = row[text], row[label]
    if isinstance(name, bool) or not isinstance(name, str | int):
        return f"column {label!r} is not a string or an integer"
    if not isinstance(body, str) or not body.strip():
        return f"column {text!r} is not a text or is empty"
    if not str(name).strip():
        return f"column {label!r} is empty"
    return body, str(name)


def check_labels(found: dict[str, int], labels: tuple[str, ...], vplm: str) -> None:
    """BadInput unless a dataset with `found` rows by label can train a vPLM with `labels`."""
    if len(found) < 2:
        only = next(iter(found), "none")
        raise BadInput(
            f"Every row of the dataset has the same label ({only!r}); there is nothing to learn.",
            remedy="Give a dataset with at least two labels.",
            code="one_label",
        )
    unknown = sorted(set(found) - set(labels))
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise BadInput(
            f"The dataset has labels that {vplm} does not know: {shown}. It knows "
            f"{', '.join(labels[:10])}{', ...' if len(labels) > 10 else ''}.",
            remedy="Create the vPLM with these labels (hmi vplm create --labels), or mend the "
            "dataset.",
            code="unknown_labels",
        )
