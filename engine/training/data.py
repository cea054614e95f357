"""Reading an uploaded dataset: JSONL, CSV or plain text, streamed, every row checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from engine.errors import BadInput
from engine.model.tagging import Tagging
from engine.serving.work import TaskName
from engine.training.examples import read_examples
from engine.training.records import lines_of, not_utf8, records
from engine.training.targets import ExampleReader
from engine.training.upload import Faults
from store.dataset_files import Example

Format = Literal["jsonl", "csv", "text"]
"""Plain text is for generators alone."""


def read_rows(
    chunks: Iterable[bytes],
    format: Format,
    text: str,
    label: str,
    task: TaskName = "classify",
    pair: str = "text_pair",
) -> Iterator[Example]:
    """(text, target) of every row, from the columns so named; see targets.py for what each task
    wants, and examples.py for what a generator does, whose columns have names of their own. Raises
    BadInput with line numbers.

    `pair` is the column of the second text: needed for pairs, taken for a regression if it is
    there. Rows are yielded as they are read; the error for bad ones comes at the end, naming the
    first ten, so whoever stores the rows must not keep them if the iterator raises.
    """
    if task == "generate":
        yield from (one.row for one in read_examples(chunks, format))
        return
    if format == "text":
        raise BadInput(
            f"Plain text has no labels, which the task {task} learns.",
            remedy="Give JSON lines or CSV; plain text is what generators learn from.",
            code="unknown_format",
        )
    faults = Faults()
    columns = (text, pair, label) if task == "pair" else (text, label)
    rows = records(lines_of(chunks), format, columns, faults)
    taught = ExampleReader(task, text, label, pair)
    try:
        for line, row in rows:
            found = taught.read(row)
            if isinstance(found, str):
                faults.add(line, found)
            else:
                yield found
    except UnicodeDecodeError as error:
        raise not_utf8(error) from error
    faults.check()


def check_labels(
    found: dict[str, int], labels: tuple[str, ...], vplm: str, task: TaskName = "classify"
) -> None:
    """BadInput unless a dataset with `found` rows by label can train a vPLM with `labels`."""
    if task in ("regression", "embedding", "generate"):
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
