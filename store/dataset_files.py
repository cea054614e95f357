"""Datasets as files: rows of a text and what it teaches."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from store import files, sums, whole_files
from store.errors import BadInput, BadText, Damaged, NotFound
from store.leases import Leases
from store.measured import Measured

Text = str | tuple[str, str]
"""A text, or two that belong together."""
Span = tuple[int, int, str]
"""Characters `start` to `end` and what they are."""
Target = str | tuple[str, ...] | tuple[float, ...] | tuple[Span, ...]
"""What a row teaches: a label, several, numbers, or labelled spans of the text."""
Example = tuple[Text, Target]

_PATH_NAME = re.compile(r"([^/]+)/([^/]+)")


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """`labels` maps a label to its rows; `path_name` is what to ask for the rows with."""

    rows: int
    labels: dict[str, int]
    bytes: int
    sha256: str
    path_name: str


class DatasetFiles:
    """Datasets below `root`: a folder for each tenant, JSON lines of [text, target].

    Safe to use from several threads.

    Every `put` makes a new file, so a job that reads the one before is not disturbed; the
    catalogue says which file is the dataset.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._leases = Leases()
        files.make_folder(root)

    def keeping(self) -> AbstractContextManager[None]:
        """Until the block ends nobody removes what this thread stores in it: the catalogue knows it
        by then."""
        return self._leases.keeping()

    def put(
        self,
        tenant: str,
        name: str,
        rows: Iterable[tuple[Text, Target]],
        allow: Callable[[int], None] = lambda _: None,
    ) -> DatasetInfo:
        """Store rows of (text, target) as they come. BadText for none, or one that is no text.

        `allow` hears how large the file will be before each row is written, and raises if that is
        too large; then nothing stays.
        """
        allow(0)
        folder = self._root / files.check_name("tenant", tenant)
        files.check_name("dataset", name)
        labels: Counter[str] = Counter()
        count = 0
        with whole_files.Incoming(folder) as incoming:
            for number, (text, target) in enumerate(rows, start=1):
                row = _encoded(text, target, number)
                allow(incoming.bytes + len(row))
                incoming.write(row)
                labels.update(labels_in(target))
                count = number
            if not count:
                raise BadText(f'The dataset "{name}" has no rows.', remedy="Give at least one row.")
            file = f"{name}.{secrets.token_hex(8)}.jsonl"
            with self._leases.taking(f"{tenant}/{file}"):
                final = incoming.commit(file)
            return DatasetInfo(
                rows=count,
                labels=dict(labels),
                bytes=incoming.bytes,
                sha256=incoming.sha256,
                path_name=f"{tenant}/{final.name}",
            )

    def rows(self, path_name: str, sha256: str | None = None) -> Iterator[Example]:
        """The rows (text, target), read as asked for. NotFound; Damaged naming the file, with
        `sha256` (hex) before the first row if it is not what was stored."""
        path = self._path(path_name)
        try:
            if sha256 is not None and sums.sha256_of(path) != sha256:
                raise Damaged(
                    f"The dataset file {path} does not match its checksum.",
                    remedy="Upload the dataset again, or restore it from a backup.",
                )
            file = path.open(encoding="utf-8", newline="\n")
        except FileNotFoundError:
            raise NotFound(
                f"The dataset file {path} is not there.", remedy="Upload the dataset again."
            ) from None
        return _pairs(file, path)

    def remove(self, path_name: str) -> None:
        """Nothing happens if there is none."""
        files.remove_file(self._path(path_name))

    def path(self, path_name: str) -> Path:
        """Where that dataset is, or would be."""
        return self._path(path_name)

    def path_names(self) -> Iterator[tuple[str, int]]:
        """Every dataset's path name and bytes, in no order, but for those that go meanwhile."""
        for path in self._root.glob("*/*.jsonl"):
            with suppress(FileNotFoundError):
                yield f"{path.parent.name}/{path.name}", path.stat().st_size

    def collect(self, known: Callable[[], set[str]], grace: float = files.GRACE_S) -> Measured:
        """Remove datasets whose path name is not among `known` and that are older than `grace`
        seconds; what went. Safe while others store."""
        found, gone = [name for name, _ in self.path_names()], Measured()
        with self._leases.collecting(known) as is_garbage:
            for name in found:
                path = self._path(name)
                with (
                    self._leases.removing(name),
                    suppress(FileNotFoundError),
                    files.disk_errors(path),
                ):
                    about = path.stat()
                    if is_garbage(name) and about.st_mtime <= time.time() - grace:
                        path.unlink()
                        gone += Measured(1, about.st_size)
        return gone

    def sweep(self, known: set[str]) -> int:
        """Remove what was half-written and files whose path name is not in `known`."""
        swept = 0
        for folder in [path for path in self._root.iterdir() if path.is_dir()]:
            swept += files.sweep(folder)
            for path in list(folder.iterdir()):
                if f"{folder.name}/{path.name}" not in known:
                    with files.disk_errors(path):
                        path.unlink()
                    swept += 1
        return swept

    def _path(self, path_name: str) -> Path:
        parts = _PATH_NAME.fullmatch(path_name)
        if parts is None:
            raise BadInput(f"{path_name!r} is not a dataset's path name.")
        tenant, file = parts.groups()
        return self._root / files.check_name("tenant", tenant) / files.check_name("dataset", file)


def labels_in(target: Target) -> set[str]:
    """The labels that a row has; none of one that teaches numbers."""
    if isinstance(target, str):
        return {target}
    every = (part[2] if isinstance(part, tuple) else part for part in target)
    return {label for label in every if isinstance(label, str)}


def _pairs(file: TextIO, path: Path) -> Iterator[Example]:
    with file:
        for number, line in enumerate(file, start=1):
            try:
                text, target = json.loads(line)
            except ValueError as error:
                raise Damaged(f"The dataset file {path} is damaged at row {number}.") from error
            yield _frozen(text), _frozen(target)


def _frozen(value: Any) -> Any:
    """Lists, as JSON has them, as the tuples that they were."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _encoded(text: Text, target: Target, number: int) -> bytes:
    try:
        return json.dumps([text, target], ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise BadText(
            f"Row {number} is not text: it has half of a surrogate pair.",
            remedy="Write the file as UTF-8.",
        ) from error
