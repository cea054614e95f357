"""A table's manifest: what its files hold, their sizes and checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from store import sums
from store.errors import Damaged, TooNew

MANIFEST = "manifest.json"
FORMAT = 1
_SUFFIX = ".npy"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size and sha256 (hex) of one file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TableManifest:
    """`files` is keyed by file name; `meta` is the writer's own and must be JSON."""

    domain: str
    epoch: int
    entries: int
    dtype: str
    row_shape: tuple[int, ...]
    files: Mapping[str, FileRecord]
    meta: Mapping[str, Any]
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """Bytes of all its files."""
        return sum(record.bytes for record in self.files.values())

    @property
    def arrays(self) -> list[str]:
        return [name.removesuffix(_SUFFIX) for name in self.files]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)

    def check_file(self, folder: Path, name: str, *, verify: bool) -> None:
        """Damaged if the file's size (with `verify`: its content) is not what it was."""
        path = folder / name
        record = self.files[name]
        try:
            size = path.stat().st_size
            if size != record.bytes:
                raise Damaged(f"The table file {path} has {size} bytes instead of {record.bytes}.")
            if verify and record_of(path).sha256 != record.sha256:
                raise Damaged(f"The table file {path} does not match its checksum.")
        except FileNotFoundError:
            raise Damaged(f"The table file {path} is missing.") from None
        except OSError as error:
            raise Damaged(f"The table file {path} cannot be read: {error.strerror}.") from error


def file_of(folder: Path, array: str) -> Path:
    return folder / f"{array}{_SUFFIX}"


def record_of(path: Path) -> FileRecord:
    """What `path` holds now."""
    with path.open("rb") as file:
        return FileRecord(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def read_manifest(folder: Path) -> TableManifest:
    """The manifest in `folder`. Damaged if it is not one; TooNew if its format is unknown."""
    path = folder / MANIFEST
    try:
        sums.check(path)
        document = json.loads(path.read_bytes())
        if int(document["format"]) > FORMAT:
            raise TooNew(f"The table {folder} was written by a newer version of hmi.")
        records = {name: FileRecord(**record) for name, record in document["files"].items()}
        manifest = TableManifest(
            **{**document, "files": records, "row_shape": tuple(document["row_shape"])}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(f"The table manifest {path} cannot be read: {error}.") from error
    if not {"keys", "rows"} <= set(manifest.arrays):
        raise Damaged(f"The table manifest {path} does not list keys and rows.")
    return manifest
