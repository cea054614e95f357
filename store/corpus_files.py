"""Corpora as files: plain text, a document a line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from store import files, sums, whole_files
from store.errors import BadText, Damaged, NotFound
from store.lines import LineChecker


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """`lines` counts documents, which blank lines are not; `sha256` is hex."""

    bytes: int
    lines: int
    sha256: str


class CorpusFiles:
    """One text for each domain, below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        files.make_folder(root)

    def put(self, domain: str, chunks: Iterable[bytes]) -> CorpusInfo:
        """Store a corpus as it arrives, in place of the one before, which stays until the end.

        BadText if it is not UTF-8, holds a NUL byte or a line over MAX_LINE_BYTES, or has no text;
        it names the line and guesses what the file is instead.
        """
        path = self._path(domain)
        checker = LineChecker()
        with whole_files.Incoming(self._root) as incoming:
            for chunk in chunks:
                checker.feed(chunk)
                incoming.write(chunk)
            checker.finish()
            if not checker.documents:
                raise BadText(
                    f'The corpus of "{domain}" has no text.', remedy="Give one document a line."
                )
            sums.commit(incoming, path.name)
            return CorpusInfo(incoming.bytes, checker.documents, incoming.sha256)

    def lines(self, domain: str) -> Iterator[str]:
        """The documents, without line ends and blank lines. Before the first: NotFound; Damaged
        naming the file if it is not what was stored."""
        path = self._path(domain)
        try:
            sums.check(path)
            # Split at \n alone, as when it was checked: a lone \r or a form feed is text.
            file = path.open(encoding="utf-8-sig", newline="\n")
        except FileNotFoundError:
            raise NotFound(
                f'Domain "{domain}" has no corpus.',
                remedy="Upload one: hmi domain create takes --corpus FILE.",
            ) from None
        return _documents(file, path)

    def exists(self, domain: str) -> bool:
        return self._path(domain).is_file()

    def sha256(self, domain: str) -> str:
        """Of the corpus as stored, hex. NotFound."""
        try:
            with self._path(domain).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise NotFound(f'Domain "{domain}" has no corpus.') from None

    def remove(self, domain: str) -> None:
        """Nothing happens if there is none."""
        sums.remove(self._path(domain))

    def sweep(self) -> int:
        """Remove what was half-received; for start-up."""
        return files.sweep(self._root)

    def _path(self, domain: str) -> Path:
        return self._root / f"{files.check_name('domain', domain)}.txt"


def _documents(file: TextIO, path: Path) -> Iterator[str]:
    with file:
        try:
            for line in file:
                document = line.rstrip("\r\n")
                if document.strip():
                    yield document
        except UnicodeDecodeError as error:
            raise Damaged(f"The corpus {path} is no longer UTF-8: {error}.") from error
