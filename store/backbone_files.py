"""Imported checkpoints on disk, each in a folder that the sha256 of its weights names.

    <root>/<sha256>/<name>/config.json, model.safetensors, tokenizer files

The outer folder gets its name when everything in it is on disk, so one that can be seen is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from store import files, sums

_CHUNK = 1 << 20


class BackboneFiles:
    """The checkpoints below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        files.make_folder(root)

    def folder(self, sha256: str, name: str) -> Path:
        """Where that checkpoint is, or would be."""
        return (
            self._root / files.check_name("backbone", sha256) / files.check_name("backbone", name)
        )

    def put(self, sha256: str, name: str, sources: Iterable[Path]) -> int:
        """Copy `sources` into one folder, all or nothing; their bytes. NoSpace.

        What is there of these weights is replaced; the caller knows that nobody uses it.
        """
        final = self.folder(sha256, name).parent
        unfinished = files.temporary(self._root)
        total = 0
        try:
            files.make_folder(unfinished / name)
            for source in sources:
                total += sums.write_whole(unfinished / name / source.name, _chunks(source))
            self.remove(sha256)
            files.publish_folder(unfinished, final)
        finally:
            if unfinished.is_dir():
                files.remove_folder(unfinished)
        return total

    def check(self, sha256: str, name: str) -> None:
        """Damaged naming the file if any is not what was imported."""
        for path in sorted(self.folder(sha256, name).iterdir()):
            if path.suffix != sums.SUFFIX:
                sums.check(path)

    def remove(self, sha256: str) -> None:
        """Nothing happens if there is none."""
        folder = self._root / files.check_name("backbone", sha256)
        if folder.is_dir():
            files.remove_folder(folder)

    def sweep(self, known: set[str]) -> int:
        """Remove what is unfinished or not in `known`, for start-up; how many went."""
        swept = files.sweep(self._root)
        unknown = [path for path in self._root.iterdir() if path.name not in known]
        for path in unknown:
            files.remove_folder(path)
        return swept + len(unknown)


def _chunks(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
