"""A run's results as one JSON document, written whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.bench.about import About
from engine.errors import BadInput, Damaged, NoSpace


@dataclass(frozen=True, slots=True)
class Document:
    """`settings` are the run's own, `results` its measurements; both hold JSON values."""

    bench: str
    about: About
    settings: dict[str, Any]
    results: dict[str, Any]

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def check_writable(path: Path) -> None:
    """BadInput now rather than an error after hours, if no file can be written to `path`."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise BadInput(
            f"The results cannot be written to {path}.",
            remedy="Name a file in a folder that exists and that you may write to.",
        )


def write_document(document: Document, path: Path) -> None:
    """Replace `path`; a reader sees the old document or the new one. NoSpace if it fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(document.json() + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise NoSpace(
            f"The results cannot be written to {path}: {error.strerror}.",
            remedy="Free some space, or name another file with --out.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def read_document(path: Path, bench: str) -> dict[str, Any]:
    """What `write_document` wrote for `bench`. Damaged if `path` holds anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["bench"] == bench:
            return dict(document)
        why = f"it holds results of {document['bench']!r}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = str(error)
    raise Damaged(
        f"{path} is no result of hmi bench {bench}: {why}.",
        remedy="Name another file with --out.",
    )
