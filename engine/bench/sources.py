"""The texts that are measured on: a folder of datasets and corpora, or the project's own."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from engine.bench.domains import DOMAIN_OF, ROOT
from engine.config import assets_dir
from engine.errors import BadInput, Damaged, NotFound
from engine.training.data import read_rows

Row = tuple[str, str]
"""A text and its label."""

_CHUNK = 1 << 20
_UNREADABLE = (OSError, EOFError, zlib.error)
_LAYOUT = (
    "The folder of --data holds NAME/train.jsonl.gz and NAME/test.jsonl.gz for each dataset, and "
    "corpora/NAME.txt.gz for each domain and for the root, general."
)


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    domain: str
    labels: tuple[str, ...]
    """Those of the training rows, sorted."""
    train: list[Row]
    test: list[Row]

    def drawn(self, limit: int, seed: int) -> list[Row]:
        """All training rows (`limit` 0), or `limit` of them drawn by the seed, in the file's
        order."""
        count = len(self.train)
        if not limit or limit >= count:
            return self.train
        order = np.random.default_rng([seed, 7]).permutation(count)[:limit]
        return [self.train[i] for i in np.sort(order)]


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    train: Path
    test: Path
    domain: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Files by name; corpora are of domains, the root's among them."""

    datasets: Mapping[str, DatasetFiles]
    corpora: Mapping[str, Path]

    def dataset(self, name: str) -> Dataset:
        """Read whole. BadInput names bad rows by line."""
        files = self.datasets[name]
        train, test = _rows(files.train), _rows(files.test)
        return Dataset(
            name, files.domain, tuple(sorted({label for _, label in train})), train, test
        )

    def corpus(self, domain: str) -> list[str]:
        """The lines of a domain's corpus that are not blank."""
        path = self.corpora[domain]
        try:
            with _opened(path) as file:
                text = file.read().decode()
        except (*_UNREADABLE, UnicodeDecodeError) as error:
            raise BadInput(
                f"The corpus {path} cannot be read: {error}.",
                remedy="Give UTF-8 text with a document a line, plain or .gz.",
            ) from error
        lines = [line for line in text.split("\n") if line.strip()]
        if not lines:
            raise BadInput(f"The corpus {path} is empty.", remedy="Give text, a document a line.")
        return lines


def open_sources(
    folder: Path | None, wanted: tuple[str, ...], domains: Mapping[str, str]
) -> Sources:
    """The datasets `wanted` (all, if empty) in `folder`, or in the project's own texts.

    `domains` says which corpus belongs to a dataset where that is not known. NotFound names every
    file that is missing; nothing has been read yet.
    """
    return _demo(wanted) if folder is None else _folder(folder, wanted, domains)


def _folder(folder: Path, wanted: tuple[str, ...], domains: Mapping[str, str]) -> Sources:
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", remedy=_LAYOUT)
    names = wanted or tuple(sorted(p.parent.name for p in folder.glob("*/train.jsonl*")))
    if not names:
        raise NotFound(f"{folder} holds no dataset.", remedy=_LAYOUT)
    of = {name: domains.get(name) or DOMAIN_OF.get(name) or name for name in names}
    datasets = {
        name: DatasetFiles(
            _either(folder / name / "train.jsonl"), _either(folder / name / "test.jsonl"), of[name]
        )
        for name in names
    }
    corpora = {
        domain: _either(folder / "corpora" / f"{domain}.txt")
        for domain in sorted({ROOT, *of.values()})
    }
    files = [*corpora.values(), *(p for d in datasets.values() for p in (d.train, d.test))]
    missing = [str(path.relative_to(folder)) for path in files if not path.is_file()]
    if missing:
        guessed = [f"--domain {n}=CORPUS" for n in names if of[n] == n and n not in domains]
        hint = f" Say which corpus a dataset belongs to: {' '.join(guessed)}." if guessed else ""
        raise NotFound(f"{folder} lacks {', '.join(missing)}.", remedy=_LAYOUT + hint)
    return Sources(datasets, corpora)


def _demo(wanted: tuple[str, ...]) -> Sources:
    folder = assets_dir() / "demo"
    try:
        document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        corpora = {one["name"]: folder / one["corpus"] for one in document["domains"]}
        about = document["dataset"]
        name = Path(about["file"]).stem
        files = DatasetFiles(folder / about["file"], folder / about["test"], about["domain"])
        found = Sources({name: files}, {d: corpora[d] for d in (ROOT, files.domain)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"The project's own texts in {folder} cannot be used: {error}.",
            remedy="Install the package again, or give texts with --data DIR.",
        ) from error
    if unknown := [each for each in wanted if each != name]:
        raise NotFound(
            f"There is no dataset {unknown[0]}; without --data there is {name} alone.",
            remedy=_LAYOUT,
        )
    return found


def _either(path: Path) -> Path:
    """`path` if it is there, else the same with .gz."""
    return path if path.is_file() else path.with_name(f"{path.name}.gz")


def _rows(path: Path) -> list[Row]:
    try:
        with _opened(path) as file:
            rows = cast("list[Row]", list(read_rows(_chunks(file), "jsonl", "text", "label")))
    except _UNREADABLE as error:
        raise BadInput(f"The dataset {path} cannot be read: {error}.", remedy=_LAYOUT) from error
    except BadInput as error:
        raise BadInput(f"{path}: {error.detail}", remedy=error.remedy, code=error.code) from error
    if not rows:
        raise BadInput(f"The dataset {path} is empty.", remedy=_LAYOUT)
    return rows


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
