"""A backup as one file: a tar of contents named by their sha256, and a manifest that says which
file of the home has which content.

    files/<sha256>     each content once
    manifest.json      names, sizes, sums; which contents lie in earlier backups, and in which
    manifest.sha256    of manifest.json: what this backup is called by later ones
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, BinaryIO, Self, cast

from store.errors import Damaged, NotFound, TooNew
from store.whole_files import Incoming

FORMAT = 1
_CHUNK = 1 << 20
_MANIFEST, _ID = "manifest.json", "manifest.sha256"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the home. Its content lies in this backup (`base` None), or in the earlier one
    that `base` counts in the manifest's `bases`."""

    name: str
    bytes: int
    sha256: str
    base: int | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier backup: the name of its file, and the sha256 of its manifest."""

    file: str
    id: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`steps` are those of the catalogue's schema; `left_out` names what the home had no sound
    copy of, and why."""

    made_at: float
    steps: tuple[str, ...]
    entries: tuple[Entry, ...]
    bases: tuple[Base, ...]
    left_out: Mapping[str, str]
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()


class ArchiveWriter:
    """Writes contents into `incoming` as they are added; `finish` ends with the manifest.

    What `base` has is not written again.
    """

    def __init__(self, incoming: Incoming, base: Archive | None) -> None:
        target = cast("IO[bytes]", _Target(incoming))
        self._tar = tarfile.open(fileobj=target, mode="w:")  # noqa: SIM115
        self._written: set[str] = set()
        self._base = base
        self._there = {} if base is None else base.contents()

    def add(self, name: str, path: Path, may: tuple[str, ...] | None) -> Entry:
        """Put in a file of the home. Damaged if it has none of the sums it may have; OSError."""
        with path.open("rb") as file:
            # Of a file that grows, what there is now.
            size = os.fstat(file.fileno()).st_size
            sha256 = _digest(file, size)
            if may is not None and sha256 not in may:
                raise Damaged(f"The file {path} does not match its checksum.")
            if sha256 in self._there:
                return Entry(name, size, sha256, self._there[sha256])
            if sha256 not in self._written:
                file.seek(0)
                self._append(f"files/{sha256}", size, file)
                self._written.add(sha256)
        return Entry(name, size, sha256)

    def bases(self) -> tuple[Base, ...]:
        """What the entries' `base` counts."""
        return () if self._base is None else self._base.lineage()

    def finish(self, manifest: Manifest) -> None:
        content = manifest.to_json()
        called = hashlib.sha256(content).hexdigest().encode()
        for name, part in ((_MANIFEST, content), (_ID, called)):
            self._append(name, len(part), io.BytesIO(part))
        self._tar.close()

    def _append(self, name: str, size: int, file: IO[bytes]) -> None:
        about = tarfile.TarInfo(name)
        about.size = size
        self._tar.addfile(about, file)


class _Target:
    """What tarfile needs of a file to write to."""

    def __init__(self, incoming: Incoming) -> None:
        self.write, self._incoming = incoming.write, incoming

    def tell(self) -> int:
        return self._incoming.bytes


class Archive:
    """A backup that exists, with the earlier ones that it rests on, which lie beside it.

    Close it, or use it as a context. NotFound; Damaged naming the file; TooNew.
    """

    def __init__(self, path: Path, *, with_bases: bool = True) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, mode="r:")  # noqa: SIM115
        except FileNotFoundError:
            raise NotFound(f"There is no backup {path}.", remedy="Check its name.") from None
        except (tarfile.TarError, OSError) as error:
            raise Damaged(f"The backup {path} cannot be read: {error}.") from error
        self._bases: list[Archive] = []
        try:
            self.id, self.manifest = self._read_manifest()
            self._entries = {entry.name: entry for entry in self.manifest.entries}
            for base in self.manifest.bases if with_bases else ():
                self._bases.append(self._open_base(base))
        except BaseException:
            self.close()
            raise

    def entry(self, name: str) -> Entry | None:
        """What it has as the file `name` of the home."""
        return self._entries.get(name)

    def contents(self) -> dict[str, int]:
        """Every sha256 it has, with its place in `lineage`."""
        return {
            entry.sha256: 0 if entry.base is None else entry.base + 1
            for entry in self.manifest.entries
        }

    def lineage(self) -> tuple[Base, ...]:
        """This backup and those that it rests on."""
        return (Base(self.path.name, self.id), *self.manifest.bases)

    def read(self, entry: Entry) -> Iterator[bytes]:
        """The content, checked: Damaged at the end if it is not what the manifest says."""
        home = self if entry.base is None else self._bases[entry.base]
        digest = hashlib.sha256()
        try:
            file = home._tar.extractfile(f"files/{entry.sha256}")  # noqa: SLF001
            while file is not None and (chunk := file.read(_CHUNK)):
                digest.update(chunk)
                yield chunk
        except (KeyError, OSError, tarfile.TarError) as error:
            raise Damaged(f"{home.path} has no content for {entry.name}: {error}.") from error
        if digest.hexdigest() != entry.sha256:
            raise Damaged(f"{home.path} is damaged: {entry.name} does not match its checksum.")

    def close(self) -> None:
        self._tar.close()
        for base in self._bases:
            base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_base(self, base: Base) -> Archive:
        path = self.path.with_name(base.file)
        # Those that the base rests on are in the list too.
        found = Archive(path, with_bases=False)
        if found.id != base.id:
            found.close()
            raise Damaged(
                f"{path} is not the backup that {self.path} rests on.",
                remedy=f"Put the {base.file} of that time beside it.",
            )
        return found

    def _read_manifest(self) -> tuple[str, Manifest]:
        try:
            content, said = (self._small(name) for name in (_MANIFEST, _ID))
            called = hashlib.sha256(content).hexdigest()
            if called != said.decode(errors="replace"):
                raise ValueError("its manifest does not match its checksum")
            return called, _manifest_of(json.loads(content), self.path)
        except (KeyError, ValueError, TypeError, OSError, tarfile.TarError) as error:
            raise Damaged(
                f"The backup {self.path} cannot be used: {error}.",
                remedy="Take another copy of it, or an earlier backup.",
            ) from error

    def _small(self, name: str) -> bytes:
        file = self._tar.extractfile(name)
        if file is None:
            raise ValueError(f"{name} is no file")
        return file.read()


def _manifest_of(document: dict[str, Any], path: Path) -> Manifest:
    if int(document["format"]) > FORMAT:
        raise TooNew(f"The backup {path} was made by a newer version of hmi.")
    entries = tuple(Entry(**entry) for entry in document["entries"])
    for entry in entries:
        parts = PurePosixPath(entry.name).parts
        if not parts or ".." in parts or entry.name.startswith("/"):
            raise ValueError(f"it has a file named {entry.name!r}")
    return Manifest(
        made_at=float(document["made_at"]),
        steps=tuple(document["steps"]),
        entries=entries,
        bases=tuple(Base(**base) for base in document["bases"]),
        left_out=dict(document["left_out"]),
    )


def _digest(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size and (chunk := file.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()
