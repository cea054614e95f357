"""A folder of a few known files as one tar archive, and back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection
from pathlib import Path, PurePath

from engine.errors import BadInput, Unavailable


def packed(folder: Path, names: Collection[str]) -> bytes:
    """Those of `names` that the folder has. BadInput if it cannot be read or has none of them."""
    buffer = io.BytesIO()
    try:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            found = [folder / name for name in names if (folder / name).is_file()]
            for path in found:
                archive.add(path, path.name)
    except OSError as error:
        raise BadInput(
            f"{error.filename or folder} cannot be read: {error.strerror or error}.",
            remedy="Check the path and its permissions.",
            code="unreadable_file",
        ) from error
    if not found:
        raise BadInput(
            f"{folder} is no folder with {' or '.join(sorted(names))}.",
            remedy="Name the folder that the adapter was saved in.",
            code="no_such_file",
        )
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> list[Path]:
    """Write the archive's files into `folder`, which is made; where they are. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is not None:
                    # By its last part: nothing is written outside the folder.
                    path = folder / PurePath(entry.name).name
                    path.write_bytes(file.read())
                    written.append(path)
    except tarfile.TarError as error:
        raise Unavailable(f"The engine's answer is no archive: {error}.") from error
    return written
