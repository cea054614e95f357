"""Reading an uploaded dataset: JSONL or CSV, streamed, every row checked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from engine.errors import BadInput
from engine.model.tagging import Tagging
from engine.serving.work import TaskName
from engine.training.targets import ExampleReader
from engine.training.upload import ChunkReader, Faults
from store.texts import Example

Format = Literal["jsonl", "csv"]


def read_rows(
    chunks: Iterable[bytes],
    format: Format,
    text: str,
    label: str,
    task: TaskName = "classify",
    pair: str = "text_pair",
) -> Iterator[Example]:
    """(text, target) of every row, from the columns so named; see targets.py for what each task
    wants. Raises BadInput with line numbers.

    `pair` is the column of the second text: needed for pairs, taken for a regression if it is
    there. Rows are yielded as they are read; the error for bad ones comes at the end, naming the
    first ten, so whoever stores the rows must not keep them if the iterator raises.
    """
    raw: Any = ChunkReader(chunks)
    stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8-sig", newline="")
    faults = Faults()
    columns = (text, pair, label) if task == "pair" else (text, label)
    rows = _read_csv(stream, columns) if format == "csv" else _read_jsonl(stream, columns, faults)
    taught = ExampleReader(task, text, label, pair)
    try:
        for line, row in rows:
            found = taught.read(row)
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
    stream: io.TextIOWrapper, columns: tuple[str, ...], faults: Faults
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
    stream: io.TextIOWrapper, columns: tuple[str, ...]
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


def _check_columns(wanted: tuple[str, ...], have: list[str]) -> None:
    for column in wanted:
        if column not in have:
            raise BadInput(
                f"The dataset has no column {column!r}; it has {', '.join(have) or 'none'}.",
                remedy="Name the columns with --text, --label and, for pairs, --text-pair.",
                code="missing_column",
            )


def check_labels(
    found: dict[str, int], labels: tuple[str, ...], vplm: str, task: TaskName = "classify"
) -> None:
    """BadInput unless a dataset with `found` rows by label can train a vPLM with `labels`."""
    if task in ("regression", "embedding"):
        return
    if task in ("classify", "pair") and len(found) < 2:
        only = next(iter(found), "none")
        raise BadInput(
            f"Every row of the dataset has the same label ({only!r}); there is nothing to learn.",
            remedy="Give a dataset with at least two labels.",
            code="one_label",
        )
    if not found:
        raise BadInput(
            "No row of the dataset has a label; there is nothing to learn.",
            remedy="Give a dataset with labelled rows.",
            code="one_label",
        )
    known = sorted(Tagging(labels).names) if task == "tokens" else labels
    unknown = sorted(set(found) - set(known))
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise BadInput(
            f"The dataset has labels that {vplm} does not know: {shown}. It knows "
            f"{', '.join(known[:10])}{', ...' if len(known) > 10 else ''}.",
            remedy="Create the vPLM with these labels (hmi vplm create --labels), or mend the "
            "dataset.",
            code="unknown_labels",
        )
